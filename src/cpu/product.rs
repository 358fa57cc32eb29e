//! Matrix products of operands that are packed once: what convolutions spend their time on.
//!
//! A library's product packs both operands in every call. Here the weights are packed when they are loaded, and whoever
//! makes the rows writes them where the product reads them, which is a fifth faster in the product alone.
//!
//! The innermost loop keeps a block of the result in registers: `ROWS` rows by two vectors. Each sum is over runs of terms in
//! their order, so a row's result does not depend on the rows around it.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::ptr;

use bytemuck::{Pod, Zeroable};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{load, store};

/// Terms of one row that lie together in packed rows: a cache line of them.
pub const GROUP: usize = 16;
/// Vectors of columns in a block.
pub const VECTORS: usize = 2;
/// Groups of terms that are summed up on their own: sums of such sums round less than one long sum, and Winograd's large tiles
/// round more than small ones. Each run reads and writes the block of the result once, so they are no shorter.
const RUN: usize = 4;
/// Cache lines from the weights that are read to those that are fetched meanwhile: so many that memory answers in time.
const AHEAD: usize = 64;

/// A cache line. Vectors of such lie at addresses that no vector load straddles.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Line([f32; GROUP]);

/// Work that is compiled for each kind of vectors, and for as many rows in a block as their registers allow.
pub trait Task {
    type Output;

    /// Must be `#[inline(always)]`, as must all that it calls: only so is it compiled for the processor's vectors.
    fn run<S: Simd, const ROWS: usize>(self, simd: S) -> Self::Output;
}

/// Runs `task` with the best vectors that this processor has.
pub fn dispatch<T: Task>(task: T) -> T::Output {
    Arch::new().dispatch(ByRegisters(task))
}

struct ByRegisters<T>(T);

impl<T: Task> WithSimd for ByRegisters<T> {
    type Output = T::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> T::Output {
        // A block, the weights' vectors and a row's value have to fit.
        if S::REGISTER_COUNT >= 32 { self.0.run::<S, 14>(simd) } else { self.0.run::<S, 6>(simd) }
    }
}

/// The block that the innermost loop computes.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub rows: usize,
    pub columns: usize,
}

impl Block {
    /// The block that [`dispatch`] will use.
    pub fn of_this_processor() -> Block {
        struct Measure;
        impl Task for Measure {
            type Output = Block;

            #[inline(always)]
            fn run<S: Simd, const ROWS: usize>(self, _: S) -> Block {
                Block { rows: ROWS, columns: VECTORS * S::F32_LANES }
            }
        }
        dispatch(Measure)
    }
}

/// Where the [`GROUP`] terms of `row` that begin at `term` lie in packed rows.
#[inline(always)]
pub fn packed_position<const ROWS: usize>(terms: usize, row: usize, term: usize) -> usize {
    (row / ROWS * terms + term) * ROWS + row % ROWS * GROUP
}

/// `output = rows * columns` for the columns of one panel: `[terms, 2 vectors]`. `rows` are `count` packed rows of `terms`
/// terms. Rows of `output` are `stride` apart; there must be room for whole blocks, of which some rows may be left as they are.
#[inline(always)]
pub fn multiply<S: Simd, const ROWS: usize>(
    simd: S,
    (rows, count): (&[f32], usize),
    panel: &[f32],
    output: &mut [f32],
    stride: usize,
) {
    let panel = S::as_simd_f32s(panel).0.as_chunks::<VECTORS>().0.as_chunks::<GROUP>().0;
    let rows = rows.as_chunks::<GROUP>().0.as_chunks::<ROWS>().0;
    let blocks = rows.chunks_exact(panel.len()).take(count.div_ceil(ROWS));
    for (block, rows) in blocks.enumerate() {
        let output = &mut output[block * ROWS * stride..];
        match count - block * ROWS {
            ..=4 => multiply_block::<S, ROWS, 4>(simd, rows, panel, output, stride),
            5..=8 if ROWS > 8 => multiply_block::<S, ROWS, 8>(simd, rows, panel, output, stride),
            _ => multiply_block::<S, ROWS, ROWS>(simd, rows, panel, output, stride),
        }
    }
}

/// The first `COUNT` rows of a block.
#[inline(always)]
fn multiply_block<S: Simd, const ROWS: usize, const COUNT: usize>(
    simd: S,
    rows: &[[[f32; GROUP]; ROWS]],
    panel: &[[[S::f32s; VECTORS]; GROUP]],
    output: &mut [f32],
    stride: usize,
) {
    let runs = rows.chunks(RUN).zip(panel.chunks(RUN));
    for (run, (rows, panel)) in runs.enumerate() {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COUNT];
        for (rows, weights) in rows.iter().zip(panel) {
            for (term, weights) in weights.iter().enumerate() {
                fetch_ahead(weights);
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let value = simd.splat_f32s(row[term]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, *weight, *sum);
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let output = &mut output[row * stride..][..VECTORS * S::F32_LANES];
            for (place, sum) in output.chunks_exact_mut(S::F32_LANES).zip(sums) {
                let sum = if run == 0 { *sum } else { simd.add_f32s(load::<S>(place), *sum) };
                store::<S>(sum, place);
            }
        }
    }
}

/// Has the processor fetch the weights that lie [`AHEAD`] cache lines after these: a panel's own, then those of the same
/// columns in the next matrix.
#[inline(always)]
fn fetch_ahead<V>(weights: &[V; VECTORS]) {
    for line in 0..size_of_val(weights).div_ceil(size_of::<Line>()) {
        prefetch(ptr::from_ref(weights).cast::<Line>().wrapping_add(AHEAD + line));
    }
}

/// Has the processor fetch a cache line, if there is one at the address.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch(line: *const Line) {
    // SAFETY: a prefetch changes nothing that a program can see, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
}

/// Other processors are left to fetch by themselves.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn prefetch(_: *const Line) {}

/// The weights of matrices `[terms, columns]`, packed for [`multiply`].
pub struct Panels {
    /// What they are packed for.
    pub block: Block,
    /// Terms with zeros up to whole groups.
    pub terms: usize,
    /// Columns with zeros up to whole panels.
    pub columns: usize,
    matrices: usize,
    /// `[panels, matrices, terms, columns of a panel]`, from the first whole cache line on.
    values: Vec<f32>,
}

impl Panels {
    /// Packs `matrices` matrices. `fill` gets the first column of a panel and the panel, `[matrices, terms, columns of a
    /// panel]`, all zeros, and writes what is to be there.
    pub fn pack(matrices: usize, terms: usize, columns: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Panels {
        let block = Block::of_this_processor();
        let (terms, columns) = (terms.next_multiple_of(GROUP), columns.next_multiple_of(block.columns));
        let (len, panel_len) = (matrices * terms * columns, matrices * terms * block.columns);
        // Zeros that come from the system as they are touched: by all threads.
        let mut values = vec![0.0; len + GROUP];
        let (_, lines, _) = bytemuck::pod_align_to_mut::<f32, Line>(&mut values);
        let values_of_lines: &mut [f32] = bytemuck::cast_slice_mut(lines);
        values_of_lines[..len].par_chunks_mut(panel_len).enumerate().for_each(|(index, panel)| {
            fill(index * block.columns, panel);
        });
        Panels { block, terms, columns, matrices, values }
    }

    /// The panel of `matrix` that begins at `column`.
    pub fn panel(&self, matrix: usize, column: usize) -> &[f32] {
        let len = self.terms * self.block.columns;
        let index = column / self.block.columns * self.matrices + matrix;
        let (_, lines, _) = bytemuck::pod_align_to::<f32, Line>(&self.values);
        &bytemuck::cast_slice(lines)[index * len..][..len]
    }
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    /// `count` packed rows of `terms` terms with one panel: small whole numbers, so every sum is exact.
    struct Check {
        count: usize,
        terms: usize,
    }

    impl Task for Check {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd, const ROWS: usize>(self, simd: S) {
            let Check { count, terms } = self;
            let columns = VECTORS * S::F32_LANES;
            let value = |row: usize, term: usize| ((row * 7 + term * 3) % 11) as f32 - 5.0;
            let weight = |term: usize, column: usize| ((term * 5 + column * 2) % 13) as f32 - 6.0;
            let space = count.next_multiple_of(ROWS);
            let mut rows = vec![f32::NAN; space * terms];
            for (row, term) in (0..count).flat_map(|row| (0..terms).step_by(GROUP).map(move |term| (row, term))) {
                let group = &mut rows[packed_position::<ROWS>(terms, row, term)..][..GROUP];
                group.iter_mut().enumerate().for_each(|(offset, place)| *place = value(row, term + offset));
            }
            let panel: Vec<f32> = (0..terms * columns).map(|i| weight(i / columns, i % columns)).collect();
            let mut output = vec![f32::NAN; space * columns];
            multiply::<S, ROWS>(simd, (&rows, count), &panel, &mut output, columns);
            for (index, &actual) in output[..count * columns].iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let expected: f32 = (0..terms).map(|term| value(row, term) * weight(term, column)).sum();
                assert_eq!(actual, expected, "{count} rows of {terms}, {columns} columns: row {row}, column {column}");
            }
        }
    }

    #[test]
    fn every_kind_of_vectors_gives_the_same_products() {
        for terms in [GROUP, 3 * GROUP, (2 * RUN + 1) * GROUP] {
            for count in 1..=31 {
                Scalar.vectorize(ByRegisters(Check { count, terms }));
                dispatch(Check { count, terms });
                #[cfg(target_arch = "x86_64")]
                if let Some(avx2) = pulp::x86::V3::try_new() {
                    Simd::vectorize(avx2, ByRegisters(Check { count, terms }));
                }
            }
        }
    }
}
