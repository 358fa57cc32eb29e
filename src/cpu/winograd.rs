//! 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015): a quarter of the
//! multiplications of the direct sum.
//!
//! [`crate::ops::winograd`] explains it. The sums over input channels become one matrix product for each of the 36
//! frequencies.

#![expect(clippy::needless_range_loop, reason = "indices name the place in a matrix of vectors")]

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::ops::Range;

use bytemuck::Zeroable;
use pulp::Simd;
use rayon::prelude::*;

use super::elementwise::activate_in_place;
use super::lanes::{load, mul_add, store};
use super::product::{self, GROUP, Panels, Task, multiply, packed_len, packed_position};
use super::scratch::with_scratch;
use crate::ops::winograd::{FREQUENCIES, IN, OUT, transform};
use crate::ops::{self, Activation};
use crate::{Result, Shape};

/// Tiles that are transformed and multiplied together where the weights stay in a cache: few, so that their transforms
/// stay there too.
const FEW_TILES: usize = 14;
/// Tiles where the weights do not: many, because the weights are read once for them.
const MANY_TILES: usize = 112;
/// Pairs of channels whose transformed weights, 5 MB, stay in a cache.
const FEW_PAIRS: usize = 128 * 256;
/// Pairs of channels whose weights are transformed together.
const PAIRS: usize = 8;

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
        let fits = op.window.kernel == [3, 3] && op.window.stride == [1, 1];
        // Fewer channels than a group make products too thin.
        fits && op.c_in.is_multiple_of(GROUP) && op.c_out.is_multiple_of(GROUP)
    }

    /// Reads the weights of `op` for samples of shape `input`, and transforms them.
    pub fn compile(op: &ops::Conv2d, input: Shape) -> Result<Winograd> {
        let Shape::Map { h, w, .. } = input else { panic!("conv2d needs a map") };
        let ops::Conv2d { window, c_in, c_out, activation, .. } = *op;
        let loaded = op.load()?;
        let weights = Panels::pack(FREQUENCIES, c_in, c_out, |column, panel| {
            product::dispatch(WeightTransform { kernel: &loaded.kernel, c_in, c_out, column, panel });
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

    /// Whether this can compute `pool` of its own output on the way: 2x2 maxima, of which a tile holds whole ones.
    pub fn takes_pool(&self, pool: &ops::Pool2d) -> bool {
        pool.halves(self.output) && matches!(self.activation, Activation::Linear | Activation::Relu)
    }

    /// `input` `[n, h, w, c_in]`, `output` `[n, oh, ow, c_out]`, or where it is to be pooled `[n, oh / 2, ow / 2, c_out]`.
    pub fn run(&self, n: usize, input: &[f32], output: &mut [f32], pooled: bool) {
        let Panels { block, columns, .. } = self.weights;
        let target = Target { winograd: self, step: if pooled { 2 } else { 1 } };
        self.tasks(n, output, target).into_par_iter().for_each(|(strips, output)| {
            let tiles = strips.start * self.tiles_per_strip()..strips.end * self.tiles_per_strip();
            for first in tiles.clone().step_by(self.group()) {
                let tiles = first..tiles.end.min(first + self.group());
                // Not a power of two apart, or all frequencies of a tile would share a cache set.
                let stride = |channels| packed_len(block, tiles.len(), channels) + GROUP;
                let (v_stride, m_stride) = (stride(self.c_in), stride(columns));
                with_scratch(FREQUENCIES * (v_stride + m_stride), |scratch| {
                    let (v, m) = scratch.split_at_mut(FREQUENCIES * v_stride);
                    let output = Part { target, first_strip: strips.start, values: &mut *output };
                    product::dispatch(Group { winograd: self, input, tiles, v, v_stride, m, m_stride, output });
                });
            }
        });
    }

    /// A strip is a row of tiles: up to four whole rows of output pixels.
    fn strips_per_image(&self) -> usize {
        self.output[0].div_ceil(OUT)
    }

    fn tiles_per_strip(&self) -> usize {
        self.output[1].div_ceil(OUT)
    }

    /// Tiles that are transformed and multiplied together.
    fn group(&self) -> usize {
        let few = self.c_in * self.c_out <= FEW_PAIRS;
        if few { FEW_TILES.next_multiple_of(self.weights.block.rows) } else { MANY_TILES }
    }

    /// Ranges of strips with the part of the output that they fill: as many strips to each thread.
    fn tasks<'a>(&self, n: usize, mut output: &'a mut [f32], target: Target<'_>) -> Vec<(Range<usize>, &'a mut [f32])> {
        let strips = n * self.strips_per_image();
        let threads = rayon::current_num_threads();
        let rounds = (strips * self.tiles_per_strip()).div_ceil(threads * self.group());
        let count = (rounds * threads).min(strips);
        let bounds = (0..=count).map(|task| task * strips / count);
        let mut tasks = Vec::with_capacity(count);
        for (start, end) in bounds.clone().zip(bounds.skip(1)) {
            let rows = target.row(end) - target.row(start);
            let (part, rest) = output.split_at_mut(rows * target.columns() * self.c_out);
            tasks.push((start..end, part));
            output = rest;
        }
        tasks
    }

    /// The strip, of all strips of the batch, and the place in it of tile `tile` of the batch.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize) {
        (tile / self.tiles_per_strip(), tile % self.tiles_per_strip())
    }

    /// The pixels of an input tile, `[y][x][channel]`.
    #[inline(always)]
    fn pixels<'a>(&'a self, input: &'a [f32], tile: usize) -> [[&'a [f32]; IN]; IN] {
        let [h, w] = self.input;
        let (strip, tx) = self.place(tile);
        let (n, ty) = (strip / self.strips_per_image(), strip % self.strips_per_image());
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
}

/// Where the output goes: its pixels, or their maxima over 2x2.
#[derive(Clone, Copy)]
struct Target<'a> {
    winograd: &'a Winograd,
    /// 1, or 2 where it is pooled.
    step: usize,
}

impl Target<'_> {
    /// Rows of an image.
    #[inline(always)]
    fn rows(&self) -> usize {
        self.winograd.output[0] / self.step
    }

    #[inline(always)]
    fn columns(&self) -> usize {
        self.winograd.output[1] / self.step
    }

    /// The first row, of all rows of the batch, of strip `strip`.
    #[inline(always)]
    fn row(&self, strip: usize) -> usize {
        let (n, ty) = (strip / self.winograd.strips_per_image(), strip % self.winograd.strips_per_image());
        n * self.rows() + ty * OUT / self.step
    }
}

/// A part of the output, from `first_strip` on.
struct Part<'a> {
    target: Target<'a>,
    first_strip: usize,
    values: &'a mut [f32],
}

/// Tiles on their way from input to output.
struct Group<'a> {
    winograd: &'a Winograd,
    input: &'a [f32],
    tiles: Range<usize>,
    /// Packed rows of a tile's `c_in` channels for each frequency, frequencies `v_stride` apart.
    v: &'a mut [f32],
    v_stride: usize,
    /// Rows of `c_out` channels, padded to whole panels, frequencies `m_stride` apart.
    m: &'a mut [f32],
    m_stride: usize,
    output: Part<'a>,
}

impl Task for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        self.transform_inputs::<S, ROWS>(simd);
        self.multiply::<S, ROWS>(simd);
        self.transform_outputs(simd);
    }
}

impl Group<'_> {
    #[inline(always)]
    fn transform_inputs<S: Simd, const ROWS: usize>(&mut self, simd: S) {
        let c_in = self.winograd.c_in;
        for (row, tile) in self.tiles.clone().enumerate() {
            let pixels = self.winograd.pixels(self.input, tile);
            for c in (0..c_in).step_by(S::F32_LANES) {
                let column = |x| input_transform(simd, input_column::<S>(&pixels, x, c));
                let columns = OnStack([column(0), column(1), column(2), column(3), column(4), column(5)]);
                let start = packed_position::<ROWS>(c_in, row, c / GROUP * GROUP) + c % GROUP;
                for y in 0..IN {
                    let values = input_transform(simd, row_of(&columns.0, y));
                    for x in 0..IN {
                        store::<S>(values[x], &mut self.v[(y * IN + x) * self.v_stride + start..]);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn multiply<S: Simd, const ROWS: usize>(&mut self, simd: S) {
        let Panels { block, columns, .. } = self.winograd.weights;
        for frequency in 0..FREQUENCIES {
            let rows = (&self.v[frequency * self.v_stride..][..self.v_stride], self.tiles.len());
            let m = &mut self.m[frequency * self.m_stride..][..self.m_stride];
            for column in (0..columns).step_by(block.columns) {
                let panel = self.winograd.weights.panel(frequency, column);
                multiply::<S, ROWS>(simd, rows, panel, &mut m[column..], columns);
            }
        }
    }

    #[inline(always)]
    fn transform_outputs<S: Simd>(&mut self, simd: S) {
        let Winograd { c_out, .. } = *self.winograd;
        let Part { target, first_strip, .. } = self.output;
        for (row, tile) in self.tiles.clone().enumerate() {
            let (strip, tx) = self.winograd.place(tile);
            let pixels = OUT / target.step;
            let rows = (target.row(strip + 1) - target.row(strip)).min(pixels);
            let columns = (target.columns() - (tx * pixels).min(target.columns())).min(pixels);
            let first = (target.row(strip) - target.row(first_strip)) * target.columns() + tx * pixels;
            for c in (0..c_out).step_by(S::F32_LANES) {
                let tile = self.output_tile(simd, row, c);
                if target.step == 1 {
                    self.store::<S, OUT>(tile, [rows, columns], first, c);
                } else {
                    self.store::<S, { OUT / 2 }>(maxima(simd, tile), [rows, columns], first, c);
                }
            }
        }
    }

    /// The output pixels `[y][x]` of a tile, of the channels from `c` on.
    #[inline(always)]
    fn output_tile<S: Simd>(&self, simd: S, row: usize, c: usize) -> [[S::f32s; OUT]; OUT] {
        let start = row * self.winograd.weights.columns + c;
        let column = |x| output_transform(simd, self.product_column::<S>(start, x));
        let columns = OnStack([column(0), column(1), column(2), column(3), column(4), column(5)]);
        let bias = load::<S>(&self.winograd.bias[c..]);
        let mut tile = [[simd.splat_f32s(0.0); OUT]; OUT];
        for y in 0..OUT {
            let pixels = output_transform(simd, row_of(&columns.0, y));
            for x in 0..OUT {
                tile[y][x] = activate(simd, self.winograd.activation, simd.add_f32s(pixels[x], bias));
            }
        }
        tile
    }

    /// Column `x` of the frequencies' products from `start` on.
    #[inline(always)]
    fn product_column<S: Simd>(&self, start: usize, x: usize) -> [S::f32s; IN] {
        let mut column = [S::f32s::zeroed(); IN];
        for y in 0..IN {
            column[y] = load::<S>(&self.m[(y * IN + x) * self.m_stride + start..]);
        }
        column
    }

    /// Writes the pixels within `[rows, columns]` of a tile that begins at pixel `first` of the part.
    #[inline(always)]
    fn store<S: Simd, const SIZE: usize>(
        &mut self,
        tile: [[S::f32s; SIZE]; SIZE],
        [rows, columns]: [usize; 2],
        first: usize,
        c: usize,
    ) {
        let (width, c_out) = (self.output.target.columns(), self.winograd.c_out);
        for y in 0..SIZE {
            for x in 0..SIZE {
                if y < rows && x < columns {
                    let pixel = &mut self.output.values[(first + y * width + x) * c_out..][c..c_out];
                    store::<S>(tile[y][x], pixel);
                    if matches!(self.winograd.activation, Activation::Sigmoid | Activation::Tanh) {
                        activate_in_place(self.winograd.activation, &mut pixel[..S::F32_LANES]);
                    }
                }
            }
        }
    }
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

/// The activations that are an operation on vectors; the others are left to [`activate_in_place`].
#[inline(always)]
fn activate<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    match activation {
        Activation::Relu => simd.select_f32s(simd.less_than_f32s(x, zero), zero, x),
        Activation::Linear | Activation::Sigmoid | Activation::Tanh => x,
    }
}

/// The maxima over 2x2 pixels.
#[inline(always)]
fn maxima<S: Simd>(simd: S, tile: [[S::f32s; OUT]; OUT]) -> [[S::f32s; OUT / 2]; OUT / 2] {
    let max = |a, b| simd.select_f32s(simd.greater_than_f32s(b, a), b, a);
    let mut maxima = [[simd.splat_f32s(0.0); OUT / 2]; OUT / 2];
    for y in 0..OUT / 2 {
        for x in 0..OUT / 2 {
            let (upper, lower) = (tile[2 * y], tile[2 * y + 1]);
            maxima[y][x] = max(max(upper[2 * x], upper[2 * x + 1]), max(lower[2 * x], lower[2 * x + 1]));
        }
    }
    maxima
}

/// More vectors than there are registers: where they go to memory, none straddles two cache lines.
#[repr(align(64))]
struct OnStack<T>(T);

/// Row `y` of a matrix that is stored by columns.
#[inline(always)]
fn row_of<V: Copy, const ROWS: usize>(columns: &[[V; ROWS]; IN], y: usize) -> [V; IN] {
    [columns[0][y], columns[1][y], columns[2][y], columns[3][y], columns[4][y], columns[5][y]]
}

/// `B' d`: row `i` holds the coefficients of the product of `x - p` over all points `p` but the `i`th.
#[inline(always)]
fn input_transform<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let (even1, odd1) = (mul_add(simd, -2.0, d[2], d[4]), mul_add(simd, -2.0, d[1], d[3]));
    let (even2, odd2) = (mul_add(simd, -0.5, d[2], d[4]), mul_add(simd, -0.5, d[1], d[3]));
    [
        mul_add(simd, -2.5, d[2], simd.add_f32s(d[0], d[4])),
        mul_add(simd, FRAC_1_SQRT_2, odd1, even1),
        mul_add(simd, -FRAC_1_SQRT_2, odd1, even1),
        mul_add(simd, SQRT_2, odd2, even2),
        mul_add(simd, -SQRT_2, odd2, even2),
        mul_add(simd, -2.5, d[3], simd.add_f32s(d[1], d[5])),
    ]
}

/// `A' m`: column `i` holds the powers of point `i`.
#[inline(always)]
fn output_transform<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let (sum1, difference1) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (sum2, difference2) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    let (half, scale) = (simd.splat_f32s(0.5), simd.splat_f32s(FRAC_1_SQRT_2));
    let cubic = mul_add(simd, 4.0, difference2, simd.mul_f32s(half, difference1));
    [
        simd.add_f32s(simd.add_f32s(m[0], sum1), sum2),
        simd.mul_f32s(scale, mul_add(simd, 2.0, difference2, difference1)),
        mul_add(simd, 2.0, sum2, simd.mul_f32s(half, sum1)),
        mul_add(simd, FRAC_1_SQRT_2, cubic, m[5]),
    ]
}

/// `G g G'` for the pairs of channels of one panel, in f64.
struct WeightTransform<'a> {
    /// `[3, 3, c_in, c_out]`.
    kernel: &'a [f32],
    c_in: usize,
    c_out: usize,
    /// The panel's first output channel.
    column: usize,
    /// `[FREQUENCIES, c_in, columns of a panel]`.
    panel: &'a mut [f32],
}

impl Task for WeightTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, _: S) {
        let width = self.panel.len() / (FREQUENCIES * self.c_in);
        let count = width.min(self.c_out - self.column);
        for c in 0..self.c_in {
            for first in (0..count).step_by(PAIRS) {
                let pairs = PAIRS.min(count - first);
                let mut g = [[[0.0; PAIRS]; 3]; 3];
                for (y, row) in g.iter_mut().enumerate() {
                    for (x, values) in row.iter_mut().enumerate() {
                        let start = ((y * 3 + x) * self.c_in + c) * self.c_out + self.column + first;
                        for (value, &kernel) in values.iter_mut().zip(&self.kernel[start..][..pairs]) {
                            *value = f64::from(kernel);
                        }
                    }
                }
                let rows = g.map(transform);
                for v in 0..IN {
                    let column = transform([rows[0][v], rows[1][v], rows[2][v]]);
                    for (u, values) in column.iter().enumerate() {
                        let start = ((u * IN + v) * self.c_in + c) * width + first;
                        for (place, value) in self.panel[start..][..pairs].iter_mut().zip(values) {
                            *place = *value as f32;
                        }
                    }
                }
            }
        }
    }
}
