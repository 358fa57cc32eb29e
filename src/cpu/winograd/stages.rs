//! What is done with some tiles: the input transform, the products, the output transform.

#![expect(clippy::needless_range_loop, reason = "indices name the place in a matrix of vectors")]

use std::ops::Range;

use bytemuck::Zeroable;
use pulp::Simd;

use super::transforms::{self, IN, OUT};
use super::{Job, Winograd};
use crate::cpu::elementwise::{activate_in_place, activate_vector};
use crate::cpu::lanes::{load, store};
use crate::cpu::product::{self, GROUP, Panels, Task, multiply};
use crate::ops::Activation;

/// Pixels of a pool's output that a tile has a part in, along one axis.
const POOLED: usize = OUT / 2 + 1;

/// `B' d B` of a block of tiles.
pub struct InputStage<'a> {
    pub job: Job<'a>,
    pub tiles: Range<usize>,
    /// Packed rows of a tile's `c_in` channels for each frequency, frequencies [`Winograd::v_stride`] apart.
    pub v: &'a mut [f32],
}

impl Task for InputStage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let InputStage { job: Job { winograd, input, .. }, tiles, v } = self;
        let stride = winograd.v_stride();
        for (row, tile) in tiles.enumerate() {
            let pixels = winograd.pixels(input, tile);
            for c in (0..winograd.c_in).step_by(S::F32_LANES) {
                let column = |x| transforms::input(simd, input_column::<S>(&pixels, x, c));
                let columns = OnStack([
                    column(0),
                    column(1),
                    column(2),
                    column(3),
                    column(4),
                    column(5),
                    column(6),
                    column(7),
                    column(8),
                ]);
                let start = product::packed_position::<ROWS>(winograd.c_in, row, c / GROUP * GROUP) + c % GROUP;
                for y in 0..IN {
                    let values = transforms::input(simd, row_of(&columns.0, y));
                    for x in 0..IN {
                        store::<S>(values[x], &mut v[(y * IN + x) * stride + start..]);
                    }
                }
            }
        }
    }
}

/// The products of one frequency.
pub struct ProductStage<'a> {
    pub winograd: &'a Winograd,
    pub frequency: usize,
    /// Blocks of tiles as [`InputStage`] writes them.
    pub v: &'a [f32],
    /// Tiles.
    pub count: usize,
    /// Rows of `c_out` channels, padded to whole panels.
    pub m: &'a mut [f32],
}

impl Task for ProductStage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let ProductStage { winograd, frequency, v, count, m } = self;
        let Panels { block, columns, .. } = winograd.weights;
        let stride = winograd.v_stride();
        for column in (0..columns).step_by(block.columns) {
            let panel = winograd.weights.panel(frequency, column);
            for (index, v) in v.chunks_exact(winograd.v_len()).enumerate() {
                let rows = (&v[frequency * stride..][..stride], ROWS.min(count - index * ROWS));
                multiply::<S, ROWS>(simd, rows, panel, &mut m[index * ROWS * columns + column..], columns);
            }
        }
    }
}

/// A part of the output, from `first_row` of all rows of the batch on.
pub struct Part<'a> {
    pub job: Job<'a>,
    pub first_row: usize,
    pub values: &'a mut [f32],
}

/// `A' m A` of some tiles, with bias, activation and pool.
pub struct OutputStage<'a> {
    pub job: Job<'a>,
    pub tiles: Range<usize>,
    /// As [`ProductStage`] writes it, frequencies `m_stride` apart.
    pub m: &'a [f32],
    pub m_stride: usize,
    /// Of the first tile, in `m`.
    pub row: usize,
    pub output: Part<'a>,
}

impl Task for OutputStage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        for (index, tile) in self.tiles.clone().enumerate() {
            let (n, place) = self.job.winograd.place(tile);
            for c in (0..self.job.winograd.c_out).step_by(S::F32_LANES) {
                let start = (self.row + index) * self.job.winograd.weights.columns + c;
                let column = |x| transforms::output(simd, self.column::<S>(start, x));
                let columns = OnStack([
                    column(0),
                    column(1),
                    column(2),
                    column(3),
                    column(4),
                    column(5),
                    column(6),
                    column(7),
                    column(8),
                ]);
                if self.job.pooled {
                    self.output.pool(simd, &columns.0, n, place, c);
                } else {
                    self.output.store(simd, &columns.0, n, place, c);
                }
            }
        }
    }
}

impl OutputStage<'_> {
    /// Column `x` of the frequencies' products from `start` on.
    #[inline(always)]
    fn column<S: Simd>(&self, start: usize, x: usize) -> [S::f32s; IN] {
        let mut column = [S::f32s::zeroed(); IN];
        for y in 0..IN {
            column[y] = load::<S>(&self.m[(y * IN + x) * self.m_stride + start..]);
        }
        column
    }
}

impl Part<'_> {
    /// The channels from `c` on of pixel `[y, x]` of image `n`, where the output has such a one.
    #[inline(always)]
    fn pixel(&mut self, n: usize, [y, x]: [usize; 2], c: usize) -> Option<&mut [f32]> {
        let [height, width] = self.job.size();
        let c_out = self.job.winograd.c_out;
        let first = (n * height + y).wrapping_sub(self.first_row) * width + x;
        if y < height && x < width { Some(&mut self.values[first * c_out..][c..c_out]) } else { None }
    }

    /// Row `y` of a tile's pixels.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, columns: &[[S::f32s; OUT]; IN], y: usize, c: usize) -> [S::f32s; OUT] {
        let winograd = self.job.winograd;
        let bias = load::<S>(&winograd.bias[c..]);
        let mut row = transforms::output(simd, row_of(columns, y));
        for x in 0..OUT {
            row[x] = activate_vector(simd, winograd.activation, simd.add_f32s(row[x], bias));
        }
        row
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, columns: &[[S::f32s; OUT]; IN], n: usize, [ty, tx]: [usize; 2], c: usize) {
        let activation = self.job.winograd.activation;
        for y in 0..OUT {
            let row = self.row(simd, columns, y, c);
            for x in 0..OUT {
                let Some(pixel) = self.pixel(n, [ty * OUT + y, tx * OUT + x], c) else { continue };
                store::<S>(row[x], pixel);
                if matches!(activation, Activation::Sigmoid | Activation::Tanh) {
                    activate_in_place(activation, &mut pixel[..S::F32_LANES]);
                }
            }
        }
    }

    /// Writes the maxima over 2x2 pixels. As a tile's side is odd, its last row, where its place is even, and its first,
    /// where it is odd, are one half of a pool's; likewise its columns. Of the two the larger stays.
    #[inline(always)]
    fn pool<S: Simd>(&mut self, simd: S, columns: &[[S::f32s; OUT]; IN], n: usize, [ty, tx]: [usize; 2], c: usize) {
        let (odd_y, odd_x) = (ty % 2, tx % 2);
        for y in 0..POOLED {
            let (upper, lower) = ((2 * y).saturating_sub(odd_y), (2 * y + 1 - odd_y).min(OUT - 1));
            let mut row = self.row(simd, columns, upper, c);
            if lower > upper {
                let lower = self.row(simd, columns, lower, c);
                for x in 0..OUT {
                    row[x] = max(simd, row[x], lower[x]);
                }
            }
            let row = if odd_x == 0 {
                [max(simd, row[0], row[1]), max(simd, row[2], row[3]), max(simd, row[4], row[5]), row[6]]
            } else {
                [row[0], max(simd, row[1], row[2]), max(simd, row[3], row[4]), max(simd, row[5], row[6])]
            };
            for x in 0..POOLED {
                let Some(pixel) = self.pixel(n, [ty * OUT / 2 + y, tx * OUT / 2 + x], c) else { continue };
                let is_second = (y == 0 && odd_y == 1) || (x == 0 && odd_x == 1);
                let maximum = if is_second { max(simd, load::<S>(pixel), row[x]) } else { row[x] };
                store::<S>(maximum, pixel);
            }
        }
    }
}

#[inline(always)]
fn max<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.select_f32s(simd.greater_than_f32s(b, a), b, a)
}

/// Column `x` of a tile's pixels, their channels from `c` on.
#[inline(always)]
fn input_column<S: Simd>(pixels: &[[&[f32]; IN]; IN], x: usize, c: usize) -> [S::f32s; IN] {
    let mut column = [S::f32s::zeroed(); IN];
    for y in 0..IN {
        column[y] = load::<S>(&pixels[y][x][c..]);
    }
    column
}

/// More vectors than there are registers: where they go to memory, none straddles two cache lines.
#[repr(align(64))]
struct OnStack<T>(T);

/// Row `y` of a matrix that is stored by columns.
#[inline(always)]
fn row_of<V: Copy, const ROWS: usize>(columns: &[[V; ROWS]; IN], y: usize) -> [V; IN] {
    [
        columns[0][y],
        columns[1][y],
        columns[2][y],
        columns[3][y],
        columns[4][y],
        columns[5][y],
        columns[6][y],
        columns[7][y],
        columns[8][y],
    ]
}
