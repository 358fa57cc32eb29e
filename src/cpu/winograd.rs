//! 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015): a quarter of the
//! multiplications of the direct sum.
//!
//! A tile of 6x6 input pixels gives 4x4 output pixels: both are transformed, `Y = A' [(G g G') * (B' d B)] A`, and the
//! sums over input channels become one matrix product for each of the 36 frequencies. The interpolation points are 0,
//! +-sqrt(1/2), +-sqrt(2) and infinity, which round half as much as 0, +-1, +-2.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::elementwise::activate_in_place;
use super::lanes::{LANES, Lanes};
use super::matrix::{Matrix, multiply};
use super::scratch::with_scratch;
use crate::ops::{self, Activation};
use crate::{Result, Shape};

/// Rows and columns of an output tile.
const OUT: usize = 4;
/// Rows and columns of an input tile, and of its transform.
const IN: usize = 6;
/// Matrix products.
const FREQUENCIES: usize = IN * IN;
/// Tiles that one task transforms: enough that the weights, read once a task, are used often; few enough that the tiles
/// stay in the cache from the transform to the product.
const TILES: usize = 56;
/// Fewer channels than this make products too thin.
const MIN_CHANNELS: usize = 16;

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
    /// `[FREQUENCIES, c_in, c_out]`.
    weights: Vec<f32>,
}

impl Winograd {
    /// Whether `op` is a convolution that this computes, and computes faster.
    pub fn takes(op: &ops::Conv2d) -> bool {
        let fits = op.window.kernel == [3, 3] && op.window.stride == [1, 1];
        fits && op.c_in >= MIN_CHANNELS && op.c_out >= MIN_CHANNELS
    }

    /// Reads the weights of `op` for samples of shape `input`, and transforms them.
    pub fn compile(op: &ops::Conv2d, input: Shape) -> Result<Winograd> {
        let Shape::Map { h, w, .. } = input else { panic!("conv2d needs a map") };
        let ops::Conv2d { window, c_in, c_out, activation, .. } = *op;
        let loaded = op.load()?;
        let weights = transform_weights(&loaded.kernel, c_in, c_out);
        let (output, before) = (window.output, window.before);
        Ok(Winograd { input: [h, w], output, before, c_in, c_out, activation, bias: loaded.bias, weights })
    }

    /// `input` `[n, h, w, c_in]`, `output` `[n, oh, ow, c_out]`.
    pub fn run(&self, n: usize, input: &[f32], output: &mut [f32]) {
        let arch = Arch::new();
        let tasks = self.tasks(n, output);
        tasks.into_par_iter().for_each(|(strips, output)| {
            let tiles = strips.len() * self.tiles_per_strip();
            // Not a power of two apart, or all frequencies of a tile would share a cache set.
            let (v_stride, m_stride) = (tiles * self.c_in + LANES, tiles * self.c_out + LANES);
            with_scratch(FREQUENCIES * (v_stride + m_stride), |scratch| {
                let (v, m) = scratch.split_at_mut(FREQUENCIES * v_stride);
                arch.dispatch(InputTransform { winograd: self, input, strips: strips.clone(), v, stride: v_stride });
                for frequency in 0..FREQUENCIES {
                    let a = Matrix::new(&v[frequency * v_stride..], tiles, self.c_in);
                    let b = Matrix::new(&self.weights[frequency * self.c_in * self.c_out..], self.c_in, self.c_out);
                    multiply(&mut m[frequency * m_stride..][..tiles * self.c_out], a, b);
                }
                arch.dispatch(OutputTransform { winograd: self, m, stride: m_stride, strips, output });
            });
        });
    }

    /// A strip is a row of tiles: up to four whole rows of output pixels.
    fn strips_per_image(&self) -> usize {
        self.output[0].div_ceil(OUT)
    }

    fn tiles_per_strip(&self) -> usize {
        self.output[1].div_ceil(OUT)
    }

    /// Output pixels in strip `strip` of the batch, vertically.
    fn rows(&self, strip: usize) -> usize {
        (self.output[0] - strip % self.strips_per_image() * OUT).min(OUT)
    }

    /// Groups of strips with the part of the output they fill.
    fn tasks<'a>(&self, n: usize, mut output: &'a mut [f32]) -> Vec<(Range<usize>, &'a mut [f32])> {
        let strips = n * self.strips_per_image();
        let shared = strips.div_ceil(rayon::current_num_threads());
        let group = (TILES / self.tiles_per_strip()).clamp(1, shared);
        let mut tasks = Vec::with_capacity(strips.div_ceil(group));
        for first in (0..strips).step_by(group) {
            let range = first..strips.min(first + group);
            let rows: usize = range.clone().map(|strip| self.rows(strip)).sum();
            let (part, rest) = output.split_at_mut(rows * self.output[1] * self.c_out);
            tasks.push((range, part));
            output = rest;
        }
        tasks
    }

    #[inline(always)]
    fn transform_inputs(&self, input: &[f32], strips: Range<usize>, v: &mut [f32], stride: usize) {
        let mut tile = 0;
        for strip in strips {
            for tx in 0..self.tiles_per_strip() {
                let pixels = self.pixels(strip, tx);
                for c in (0..self.c_in).step_by(LANES) {
                    let width = (self.c_in - c).min(LANES);
                    let mut columns = [[Lanes::ZERO; IN]; IN];
                    for x in 0..IN {
                        for y in 0..IN {
                            if let Some(pixel) = pixels[y][x] {
                                columns[x][y] = Lanes::load(&input[pixel + c..][..width]);
                            }
                        }
                        columns[x] = input_transform(columns[x]);
                    }
                    for y in 0..IN {
                        let row = input_transform(row_of(&columns, y));
                        for x in 0..IN {
                            row[x].store(&mut v[(y * IN + x) * stride + tile * self.c_in + c..][..width]);
                        }
                    }
                }
                tile += 1;
            }
        }
    }

    /// Where the pixels of an input tile begin in the input; none for the padding.
    #[inline(always)]
    fn pixels(&self, strip: usize, tx: usize) -> [[Option<usize>; IN]; IN] {
        let [h, w] = self.input;
        let (n, ty) = (strip / self.strips_per_image(), strip % self.strips_per_image());
        let at = |tile: usize, i: usize, before, size| (tile * OUT + i).checked_sub(before).filter(|&i| i < size);
        let xs: [Option<usize>; IN] = std::array::from_fn(|x| at(tx, x, self.before[1], w));
        std::array::from_fn(|y| {
            let y = at(ty, y, self.before[0], h);
            xs.map(|x| y.zip(x).map(|(y, x)| ((n * h + y) * w + x) * self.c_in))
        })
    }

    #[inline(always)]
    fn transform_outputs(&self, m: &[f32], stride: usize, strips: Range<usize>, mut output: &mut [f32]) {
        let ow = self.output[1];
        let mut tile = 0;
        for strip in strips {
            let rows = self.rows(strip);
            let (part, rest) = output.split_at_mut(rows * ow * self.c_out);
            for tx in 0..self.tiles_per_strip() {
                let columns = (ow - tx * OUT).min(OUT);
                for c in (0..self.c_out).step_by(LANES) {
                    let width = (self.c_out - c).min(LANES);
                    let bias = Lanes::load(&self.bias[c..][..width]);
                    let mut spectrum_columns = [[Lanes::ZERO; OUT]; IN];
                    for (x, half) in spectrum_columns.iter_mut().enumerate() {
                        let mut column = [Lanes::ZERO; IN];
                        for (y, value) in column.iter_mut().enumerate() {
                            let start = (y * IN + x) * stride + tile * self.c_out + c;
                            *value = Lanes::load(&m[start..][..width]);
                        }
                        *half = output_transform(column);
                    }
                    for y in 0..rows {
                        let row = output_transform(row_of(&spectrum_columns, y));
                        for x in 0..columns {
                            let mut pixel = row[x] + bias;
                            activate_in_place(self.activation, &mut pixel.0);
                            pixel.store(&mut part[(y * ow + tx * OUT + x) * self.c_out + c..][..width]);
                        }
                    }
                }
                tile += 1;
            }
            output = rest;
        }
    }
}

/// The transform of a task's input tiles, compiled for the vectors that the processor has. A struct, because a closure
/// would not be inlined into the code that is compiled so.
struct InputTransform<'a> {
    winograd: &'a Winograd,
    input: &'a [f32],
    strips: Range<usize>,
    /// `[FREQUENCIES, tiles, c_in]`, frequencies `stride` apart.
    v: &'a mut [f32],
    stride: usize,
}

impl WithSimd for InputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.winograd.transform_inputs(self.input, self.strips, self.v, self.stride);
    }
}

/// The transform of a task's products to output pixels, likewise.
struct OutputTransform<'a> {
    winograd: &'a Winograd,
    /// `[FREQUENCIES, tiles, c_out]`, frequencies `stride` apart.
    m: &'a [f32],
    stride: usize,
    strips: Range<usize>,
    output: &'a mut [f32],
}

impl WithSimd for OutputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.winograd.transform_outputs(self.m, self.stride, self.strips, self.output);
    }
}

/// Row `y` of a matrix that is stored by columns.
#[inline(always)]
fn row_of<const ROWS: usize>(columns: &[[Lanes; ROWS]; IN], y: usize) -> [Lanes; IN] {
    [columns[0][y], columns[1][y], columns[2][y], columns[3][y], columns[4][y], columns[5][y]]
}

/// `B' d`: row `i` holds the coefficients of the product of `x - p` over all points `p` but the `i`th.
#[inline(always)]
fn input_transform(d: [Lanes; IN]) -> [Lanes; IN] {
    let (even1, odd1) = (d[4] - 2.0 * d[2], FRAC_1_SQRT_2 * (d[3] - 2.0 * d[1]));
    let (even2, odd2) = (d[4] - 0.5 * d[2], SQRT_2 * (d[3] - 0.5 * d[1]));
    [d[0] + d[4] - 2.5 * d[2], even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, d[1] + d[5] - 2.5 * d[3]]
}

/// `A' m`: column `i` holds the powers of point `i`.
#[inline(always)]
fn output_transform(m: [Lanes; IN]) -> [Lanes; OUT] {
    let (sum1, difference1) = (m[1] + m[2], FRAC_1_SQRT_2 * (m[1] - m[2]));
    let (sum2, difference2) = (m[3] + m[4], SQRT_2 * (m[3] - m[4]));
    [
        m[0] + sum1 + sum2,
        difference1 + difference2,
        0.5 * sum1 + 2.0 * sum2,
        0.5 * difference1 + 2.0 * difference2 + m[5],
    ]
}

/// `G g G'` for every pair of channels, in f64: `[3, 3, c_in, c_out]` to `[FREQUENCIES, c_in, c_out]`.
fn transform_weights(kernel: &[f32], c_in: usize, c_out: usize) -> Vec<f32> {
    let pairs = c_in * c_out;
    let mut weights = vec![0.0; FREQUENCIES * pairs];
    for pair in 0..pairs {
        let g: [[f64; 3]; 3] =
            std::array::from_fn(|y| std::array::from_fn(|x| f64::from(kernel[(y * 3 + x) * pairs + pair])));
        let rows = g.map(weight_transform);
        for v in 0..IN {
            let column = weight_transform([rows[0][v], rows[1][v], rows[2][v]]);
            for (u, value) in column.into_iter().enumerate() {
                weights[(u * IN + v) * pairs + pair] = value as f32;
            }
        }
    }
    weights
}

/// `G g`: the values of the polynomial `g` at the points, divided by the products of their distances.
fn weight_transform([g0, g1, g2]: [f64; 3]) -> [f64; IN] {
    let at = |point: f64, distances: f64| (g0 + point * g1 + point * point * g2) / distances;
    let (near, far) = (std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::SQRT_2);
    [g0, at(near, -1.5), at(-near, -1.5), at(far, 6.0), at(-far, 6.0), g2]
}
