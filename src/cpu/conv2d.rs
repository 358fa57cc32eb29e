//! Convolution of any window: its input unfolded in blocks (im2col), then matrix products.

use rayon::prelude::*;

use super::elementwise::add_bias_and_activate;
use super::matrix::{Matrix, multiply};
use super::scratch::with_scratch;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{self, Activation, Window};
use crate::{Result, Shape};

/// Values of the unfolded input that one task holds: half of a small L2 cache.
const BLOCK: usize = 64 * 1024;

/// A convolution with its weights.
pub struct Conv2d {
    window: Window,
    /// `[h, w]` of the input.
    input: [usize; 2],
    c_in: usize,
    c_out: usize,
    activation: Activation,
    weights: LinearWeights,
}

impl Conv2d {
    /// Reads the weights of `op` for samples of shape `input`.
    pub fn compile(op: &ops::Conv2d, input: Shape) -> Result<Conv2d> {
        let Shape::Map { h, w, .. } = input else { panic!("conv2d needs a map") };
        let ops::Conv2d { window, c_in, c_out, activation, .. } = *op;
        Ok(Conv2d { window, input: [h, w], c_in, c_out, activation, weights: op.load()? })
    }

    /// `input` `[n, h, w, c_in]`, `output` `[n, oh, ow, c_out]`.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let terms = self.window.taps() * self.c_in;
        let kernel = Matrix::new(&self.weights.kernel, terms, self.c_out);
        let rows = (BLOCK / terms).clamp(1, 512);
        output.par_chunks_mut(rows * self.c_out).enumerate().for_each(|(block, output)| {
            let rows_here = output.len() / self.c_out;
            with_scratch(rows_here * terms, |unfolded| {
                for (row, unfolded) in unfolded.chunks_exact_mut(terms).enumerate() {
                    self.unfold(block * rows + row, input, unfolded);
                }
                multiply(output, Matrix::new(unfolded, rows_here, terms), kernel);
            });
            add_bias_and_activate(self.activation, &self.weights.bias, output);
        });
    }

    /// Writes the input values under the window at output pixel `position` of the batch, zeros for the padding.
    fn unfold(&self, position: usize, input: &[f32], unfolded: &mut [f32]) {
        let ([h, w], [oh, ow], [kh, kw]) = (self.input, self.window.output, self.window.kernel);
        let (n, oy, ox) = (position / (oh * ow), position / ow % oh, position % ow);
        for (ky, row) in unfolded.chunks_exact_mut(unfolded.len() / kh).enumerate() {
            let Some(y) = (oy * self.window.stride[0] + ky).checked_sub(self.window.before[0]).filter(|&y| y < h)
            else {
                row.fill(0.0);
                continue;
            };
            let start = ox * self.window.stride[1];
            // Columns of the map under the window are neighbours in the input too.
            let left = self.window.before[1].saturating_sub(start).min(kw);
            let first = (start + left).saturating_sub(self.window.before[1]);
            let count = w.saturating_sub(first).min(kw - left);
            let (padding, rest) = row.split_at_mut(left * self.c_in);
            let (inside, behind) = rest.split_at_mut(count * self.c_in);
            padding.fill(0.0);
            inside.copy_from_slice(&input[((n * h + y) * w + first.min(w)) * self.c_in..][..count * self.c_in]);
            behind.fill(0.0);
        }
    }
}
