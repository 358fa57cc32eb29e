//! 3x3 convolution with stride 1 by Winograd's minimal filtering (Lavin and Gray 2015): a fifth of the multiplications of
//! the direct sum.
//!
//! A tile of input pixels gives a tile of output pixels, `Y = A' [(G g G') * (B' d B)] A`, along one axis as in
//! [`transforms`]. The sums over input channels become one matrix product for each frequency.
//!
//! Tiles go through all three stages in small groups that stay in a thread's cache, as long as the weights stay in one too.
//! Larger weights are read once for as many tiles as there are, one stage after the other.

mod stages;
mod transforms;

use std::ops::Range;

use rayon::prelude::*;

use self::stages::{InputStage, OutputStage, Part, ProductStage};
use self::transforms::{FILTERING, FREQUENCIES, IN, OUT};
use super::product::{self, GROUP, Panels};
use super::scratch::{Scratch, with_scratch};
use crate::ops::{self, Activation};
use crate::{Result, Shape};

/// Pairs of channels whose transformed weights stay in a cache.
const FEW_PAIRS: usize = 128 * 256;
/// Tiles that go through all stages together, in whole blocks: few, so that their transforms stay in a cache.
const FEW_TILES: usize = 14;
/// Groups of so few tiles that one task takes: so many that the last, with fewer tiles, does not matter.
const TASK_GROUPS: usize = 8;
/// Values of the transforms, before or after the product, of the tiles that weights are read for.
const MANY_VALUES: usize = 8 << 20;

/// A 3x3 convolution with its transformed weights.
pub struct Winograd {
    /// `[h, w]` of the input.
    input: [usize; 2],
    /// `[oh, ow]`.
    output: [usize; 2],
    /// Padding above and to the left.
    before: [usize; 2],
    c_in: usize,
    c_out: usize,
    activation: Activation,
    bias: Vec<f32>,
    /// [`FREQUENCIES`] matrices `[c_in, c_out]`.
    weights: Panels,
    /// A pixel of the padding.
    zeros: Vec<f32>,
}

impl Winograd {
    /// Whether `op` is a convolution that this computes, and computes faster.
    pub fn takes(op: &ops::Conv2d) -> bool {
        let ops::Window { kernel, stride, output: [h, w], .. } = op.window;
        let products = h.div_ceil(OUT) * w.div_ceil(OUT) * FREQUENCIES;
        let fits = kernel == [3, 3] && stride == [1, 1] && products < h * w * 9;
        // Fewer channels than a group make products too thin.
        fits && op.c_in.is_multiple_of(GROUP) && op.c_out.is_multiple_of(GROUP)
    }

    /// Reads the weights of `op` for samples of shape `input`, and transforms them.
    pub fn compile(op: &ops::Conv2d, input: Shape) -> Result<Winograd> {
        let Shape::Map { h, w, .. } = input else { panic!("conv2d needs a map") };
        let ops::Conv2d { window, c_in, c_out, activation, .. } = *op;
        let loaded = op.load()?;
        let weights = Panels::pack(FREQUENCIES, c_in, c_out, |column, panel| {
            // `[FREQUENCIES, c_in, columns of a panel]`, the last of which may be beyond the output channels.
            let mut frequencies: Vec<_> = panel.chunks_exact_mut(panel.len() / FREQUENCIES).collect();
            let width = frequencies[0].len() / c_in;
            let columns = column..c_out.min(column + width);
            let spans = (0..c_in).map(|c| (c * width, c * c_out + columns.start..c * c_out + columns.end));
            FILTERING.transform_kernel(&loaded.kernel, spans, &mut frequencies);
        });
        Ok(Winograd {
            input: [h, w],
            output: window.output,
            before: window.before,
            c_in,
            c_out,
            activation,
            bias: loaded.bias,
            weights,
            zeros: vec![0.0; c_in],
        })
    }

    /// Whether this can compute `pool` of its own output on the way.
    pub fn takes_pool(&self, pool: &ops::Pool2d) -> bool {
        pool.halves(self.output) && matches!(self.activation, Activation::Linear | Activation::Relu)
    }

    /// `input` `[n, h, w, c_in]`, `output` `[n, oh, ow, c_out]`, or where it is to be pooled `[n, oh / 2, ow / 2, c_out]`.
    pub fn run(&self, n: usize, input: &[f32], output: &mut [f32], pooled: bool, scratch: &mut Scratch) {
        let job = Job { winograd: self, input, pooled };
        if self.c_in * self.c_out <= FEW_PAIRS {
            job.run_few(n, output);
        } else {
            job.run_many(n, output, scratch, MANY_VALUES);
        }
    }

    /// Tiles of an image along y and x.
    fn grid(&self) -> [usize; 2] {
        self.output.map(|size| size.div_ceil(OUT))
    }

    /// The image of a tile of the batch, and its place there.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, [usize; 2]) {
        let [rows, columns] = self.grid();
        (tile / (rows * columns), [tile / columns % rows, tile % columns])
    }

    /// The pixels of an input tile, `[y][x][channel]`.
    #[inline(always)]
    fn pixels<'a>(&'a self, input: &'a [f32], tile: usize) -> [[&'a [f32]; IN]; IN] {
        let [h, w] = self.input;
        let (n, [ty, tx]) = self.place(tile);
        let mut pixels = [[&self.zeros[..]; IN]; IN];
        for (y, row) in pixels.iter_mut().enumerate() {
            let Some(y) = (ty * OUT + y).checked_sub(self.before[0]).filter(|&y| y < h) else { continue };
            for (x, pixel) in row.iter_mut().enumerate() {
                let Some(x) = (tx * OUT + x).checked_sub(self.before[1]).filter(|&x| x < w) else { continue };
                *pixel = &input[((n * h + y) * w + x) * self.c_in..][..self.c_in];
            }
        }
        pixels
    }

    /// Values of the input transform of a block of tiles, at one frequency; frequencies are not a power of two apart, or
    /// all of a tile's would share a cache set.
    fn v_stride(&self) -> usize {
        self.weights.block.rows * self.c_in + GROUP
    }

    /// Values of the input transform of a block of tiles.
    fn v_len(&self) -> usize {
        FREQUENCIES * self.v_stride()
    }

    /// The same, as [`Winograd::v_stride`], of the products of `tiles` tiles.
    fn m_stride(&self, tiles: usize) -> usize {
        tiles.next_multiple_of(self.weights.block.rows) * self.weights.columns + GROUP
    }
}

/// A batch to be computed.
#[derive(Clone, Copy)]
struct Job<'a> {
    winograd: &'a Winograd,
    input: &'a [f32],
    pooled: bool,
}

impl Job<'_> {
    /// Rows and columns of an image of the output.
    #[inline(always)]
    fn size(&self) -> [usize; 2] {
        self.winograd.output.map(|size| if self.pooled { size / 2 } else { size })
    }

    /// A strip is a row of tiles, or where they are pooled two: what is whole rows of the output, up to [`OUT`] of them.
    fn strips_per_image(&self) -> usize {
        self.winograd.grid()[0].div_ceil(if self.pooled { 2 } else { 1 })
    }

    /// The first tile and the first row of the output, of all of the batch, of strip `strip`.
    #[inline(always)]
    fn start(&self, strip: usize) -> (usize, usize) {
        let [rows, columns] = self.winograd.grid();
        let (n, strip) = (strip / self.strips_per_image(), strip % self.strips_per_image());
        let row = if self.pooled { 2 * strip } else { strip };
        ((n * rows + row) * columns, n * self.size()[0] + strip * OUT)
    }

    fn tiles(&self, strips: &Range<usize>) -> Range<usize> {
        self.start(strips.start).0..self.start(strips.end).0
    }

    /// Cuts `strips` into `count` ranges of nearly one size, each with the part of the output that it fills.
    fn cut<'a>(
        &self,
        strips: Range<usize>,
        count: usize,
        mut output: &'a mut [f32],
    ) -> Vec<(Range<usize>, &'a mut [f32])> {
        let bounds = (0..=count).map(|part| strips.start + part * strips.len() / count);
        let mut parts = Vec::with_capacity(count);
        for (start, end) in bounds.clone().zip(bounds.skip(1)) {
            let rows = self.start(end).1 - self.start(start).1;
            let (part, rest) = output.split_at_mut(rows * self.size()[1] * self.winograd.c_out);
            parts.push((start..end, part));
            output = rest;
        }
        parts
    }

    /// All stages for a few tiles, then for the next.
    fn run_few(self, n: usize, output: &mut [f32]) {
        let winograd = self.winograd;
        let (strips, block) = (n * self.strips_per_image(), winograd.weights.block.rows);
        let group = FEW_TILES.next_multiple_of(block);
        let threads = rayon::current_num_threads();
        let rounds = self.start(strips).0.div_ceil(threads * TASK_GROUPS * group);
        let parts = self.cut(0..strips, (rounds * threads).min(strips), output);
        parts.into_par_iter().for_each(|(strips, output)| {
            let tiles = self.tiles(&strips);
            for first in tiles.clone().step_by(group) {
                let tiles = first..tiles.end.min(first + group);
                let (v_len, m_stride) = (winograd.v_len(), winograd.m_stride(tiles.len()));
                let all_v = tiles.len().div_ceil(block) * v_len;
                with_scratch(all_v + FREQUENCIES * m_stride, |scratch| {
                    let (v, m) = scratch.split_at_mut(all_v);
                    for (index, v) in v.chunks_exact_mut(v_len).enumerate() {
                        self.transform_block(&tiles, index, v);
                    }
                    for (frequency, m) in m.chunks_exact_mut(m_stride).enumerate() {
                        product::dispatch(ProductStage { winograd, frequency, v, count: tiles.len(), m });
                    }
                    let output = Part { job: self, first_row: self.start(strips.start).1, values: &mut *output };
                    product::dispatch(OutputStage { job: self, tiles, m, m_stride, row: 0, output });
                });
            }
        });
    }

    /// The input transform of the `index`th block of `tiles`.
    fn transform_block(self, tiles: &Range<usize>, index: usize, v: &mut [f32]) {
        let block = self.winograd.weights.block.rows;
        let first = tiles.start + index * block;
        product::dispatch(InputStage { job: self, tiles: first..tiles.end.min(first + block), v });
    }

    /// Stage by stage, as many tiles together as have `most` values before or after the product.
    fn run_many(self, n: usize, output: &mut [f32], scratch: &mut Scratch, most: usize) {
        let Winograd { c_in, ref weights, .. } = *self.winograd;
        let strips = n * self.strips_per_image();
        let per_tile = FREQUENCIES * c_in.max(weights.columns);
        let chunks = (self.start(strips).0 * per_tile).div_ceil(most).clamp(1, strips);
        for (strips, output) in self.cut(0..strips, chunks, output) {
            self.run_chunk(strips, output, scratch);
        }
    }

    fn run_chunk(self, strips: Range<usize>, output: &mut [f32], scratch: &mut Scratch) {
        let winograd = self.winograd;
        let tiles = self.tiles(&strips);
        let (v_len, m_stride) = (winograd.v_len(), winograd.m_stride(tiles.len()));
        let all_v = tiles.len().div_ceil(winograd.weights.block.rows) * v_len;
        let (v, m) = scratch.values(all_v + FREQUENCIES * m_stride).split_at_mut(all_v);
        let blocks = v.par_chunks_exact_mut(v_len).enumerate();
        blocks.for_each(|(index, v)| self.transform_block(&tiles, index, v));
        let v = &*v;
        m.par_chunks_exact_mut(m_stride).enumerate().for_each(|(frequency, m)| {
            product::dispatch(ProductStage { winograd, frequency, v, count: tiles.len(), m });
        });
        let parts = self.cut(strips.clone(), strips.len(), output);
        parts.into_par_iter().for_each(|(strips, values)| {
            let (of_strip, row) = (self.tiles(&strips), self.tiles(&strips).start - tiles.start);
            let output = Part { job: self, first_row: self.start(strips.start).1, values };
            product::dispatch(OutputStage { job: self, tiles: of_strip, m, m_stride, row, output });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 16 to 48 channels, of small whole numbers.
    fn winograd([h, w]: [usize; 2]) -> Winograd {
        let weights = Panels::pack(FREQUENCIES, 16, 48, |column, panel| {
            panel.iter_mut().enumerate().for_each(|(i, place)| *place = ((i * 7 + column) % 13) as f32 - 6.0);
        });
        let (bias, zeros) = (vec![0.5; 48], vec![0.0; 16]);
        let [input, output, before] = [[h, w], [h, w], [1, 1]];
        Winograd { input, output, before, c_in: 16, c_out: 48, activation: Activation::Relu, bias, weights, zeros }
    }

    #[test]
    fn tiles_give_the_same_bits_in_whatever_order_and_number_they_are_computed() {
        let n = 3;
        for [h, w] in [[14, 28], [15, 22], [30, 6], [36, 35]] {
            let winograd = winograd([h, w]);
            let input: Vec<f32> = (0..n * h * w * 16).map(|i| ((i * 31) % 101) as f32 / 7.0).collect();
            for pooled in [false, true] {
                let job = Job { winograd: &winograd, input: &input, pooled };
                let [rows, columns] = job.size();
                let output = || vec![f32::NAN; n * rows * columns * 48];
                let mut few = output();
                job.run_few(n, &mut few);
                assert!(few.iter().all(|value| value.is_finite()), "{h} x {w}, pooled: {pooled}");
                for most in [1, 40 * FREQUENCIES * 48, usize::MAX] {
                    let mut many = output();
                    job.run_many(n, &mut many, &mut Scratch::default(), most);
                    assert!(few == many, "{h} x {w}, pooled: {pooled}, at most {most} values");
                }
            }
        }
    }
}
