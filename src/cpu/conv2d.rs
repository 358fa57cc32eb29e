//! Convolution of any window, as matrix products whose left operand is the input itself: neighbouring output pixels have
//! windows that overlap in it.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::elementwise::{activate_in_place, activate_vector};
use super::lanes::{load, store};
use super::product::{self, GROUP, Panels, Task, VECTORS};
use super::scratch::with_scratch;
use crate::ops::{self, Activation, Window};
use crate::{Result, Shape};

/// Output pixels of a task at least, where there are as many: whole rows.
const PIXELS: usize = 128;

/// A convolution with its weights.
pub struct Conv2d {
    window: Window,
    /// `[h, w]` of the input.
    input: [usize; 2],
    c_in: usize,
    c_out: usize,
    activation: Activation,
    bias: Vec<f32>,
    /// One matrix `[taps * c_in, c_out]`.
    weights: Panels,
}

impl Conv2d {
    /// Reads the weights of `op` for samples of shape `input`, and packs them.
    pub fn compile(op: &ops::Conv2d, input: Shape) -> Result<Conv2d> {
        let Shape::Map { h, w, .. } = input else { panic!("conv2d needs a map") };
        let ops::Conv2d { window, c_in, c_out, activation, .. } = *op;
        let loaded = op.load()?;
        let weights = Panels::pack(1, window.taps() * c_in, c_out, |column, panel| {
            let width = panel.len() / (window.taps() * c_in).next_multiple_of(GROUP);
            let count = width.min(c_out - column);
            for (packed, row) in panel.chunks_exact_mut(width).zip(loaded.kernel.chunks_exact(c_out)) {
                packed[..count].copy_from_slice(&row[column..][..count]);
            }
        });
        Ok(Conv2d { window, input: [h, w], c_in, c_out, activation, bias: loaded.bias, weights })
    }

    /// `input` `[n, h, w, c_in]`, `output` `[n, oh, ow, c_out]`.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let row_len = self.window.output[1] * self.c_out;
        let rows = PIXELS.div_ceil(self.window.output[1]);
        output.par_chunks_mut(rows * row_len).enumerate().for_each(|(index, output)| {
            let lines = self.window.kernel[0] * self.line_len();
            with_scratch(lines + self.weights.block.rows * self.weights.columns, |scratch| {
                let (lines, products) = scratch.split_at_mut(lines);
                for (row, output) in output.chunks_exact_mut(row_len).enumerate() {
                    self.copy_lines(index * rows + row, input, lines);
                    product::dispatch(Row { conv: self, lines, products, output });
                }
            });
        });
    }

    /// Values of a row of the input with its padding, behind which is room for a whole block of output pixels.
    fn line_len(&self) -> usize {
        let columns = self.window.output[1].next_multiple_of(self.weights.block.rows);
        ((columns - 1) * self.window.stride[1] + self.window.kernel[1]) * self.c_in
    }

    /// Copies the rows of the input under the window at row `row` of the output, of all its rows in the batch.
    fn copy_lines(&self, row: usize, input: &[f32], lines: &mut [f32]) {
        let ([h, w], oh) = (self.input, self.window.output[0]);
        let (n, oy) = (row / oh, row % oh);
        let row_len = w * self.c_in;
        for (ky, line) in lines.chunks_exact_mut(self.line_len()).enumerate() {
            let y = (oy * self.window.stride[0] + ky).checked_sub(self.window.before[0]).filter(|&y| y < h);
            let (left, rest) = line.split_at_mut((self.window.before[1] * self.c_in).min(line.len()));
            let count = if y.is_some() { row_len.min(rest.len()) } else { 0 };
            let (inside, right) = rest.split_at_mut(count);
            left.fill(0.0);
            inside.copy_from_slice(&input[(n * h + y.unwrap_or(0)) * row_len..][..count]);
            right.fill(0.0);
        }
    }
}

/// A row of output pixels.
struct Row<'a> {
    conv: &'a Conv2d,
    /// A line for each row of the window.
    lines: &'a [f32],
    /// A block of output pixels before bias and activation, with all columns of the weights.
    products: &'a mut [f32],
    output: &'a mut [f32],
}

impl Task for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let width = self.conv.window.output[1];
        for first in (0..width).step_by(ROWS) {
            for column in (0..self.conv.c_out).step_by(VECTORS * S::F32_LANES) {
                match width - first {
                    ..=4 => self.multiply::<S, 4>(simd, first, column),
                    5..=8 if ROWS > 8 => self.multiply::<S, 8>(simd, first, column),
                    _ => self.multiply::<S, ROWS>(simd, first, column),
                }
            }
            self.finish(simd, first..width.min(first + ROWS));
        }
    }
}

impl Row<'_> {
    /// The products of `COUNT` output pixels from `first` on with the panel that begins at `column`.
    #[inline(always)]
    fn multiply<S: Simd, const COUNT: usize>(&mut self, simd: S, first: usize, column: usize) {
        let conv = self.conv;
        let (step, terms) = (conv.window.stride[1] * conv.c_in, conv.window.kernel[1] * conv.c_in);
        let panel = S::as_simd_f32s(conv.weights.panel(0, column)).0.as_chunks::<VECTORS>().0;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COUNT];
        for (line, weights) in self.lines.chunks_exact(conv.line_len()).zip(panel.chunks_exact(terms)) {
            let windows: [&[f32]; COUNT] = std::array::from_fn(|pixel| &line[(first + pixel) * step..][..terms]);
            for (term, weights) in weights.iter().enumerate() {
                for (window, sums) in windows.iter().zip(&mut sums) {
                    let value = simd.splat_f32s(window[term]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, *weight, *sum);
                    }
                }
            }
        }
        let columns = conv.weights.columns;
        for (pixel, sums) in sums.iter().enumerate() {
            let products = &mut self.products[pixel * columns + column..][..VECTORS * S::F32_LANES];
            for (place, sum) in products.chunks_exact_mut(S::F32_LANES).zip(sums) {
                store::<S>(*sum, place);
            }
        }
    }

    /// Bias and activation.
    #[inline(always)]
    fn finish<S: Simd>(&mut self, simd: S, pixels: Range<usize>) {
        let Conv2d { c_out, activation, ref bias, ref weights, .. } = *self.conv;
        let output = self.output[pixels.start * c_out..pixels.end * c_out].chunks_exact_mut(c_out);
        for (pixel, products) in output.zip(self.products.chunks_exact(weights.columns)) {
            let vectors = c_out / S::F32_LANES * S::F32_LANES;
            for c in (0..vectors).step_by(S::F32_LANES) {
                let sum = simd.add_f32s(load::<S>(&products[c..]), load::<S>(&bias[c..]));
                store::<S>(activate_vector(simd, activation, sum), &mut pixel[c..]);
            }
            for c in vectors..c_out {
                pixel[c] = products[c] + bias[c];
            }
            let rest = if matches!(activation, Activation::Sigmoid | Activation::Tanh) { 0 } else { vectors };
            activate_in_place(activation, &mut pixel[rest..]);
        }
    }
}
