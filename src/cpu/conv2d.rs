//! Convolution of any window: its input unfolded in blocks (im2col), then matrix products.

use pulp::Simd;
use rayon::prelude::*;

use super::elementwise::add_bias_and_activate;
use super::product::{self, GROUP, Panels, Task, multiply, packed_len, packed_position};
use super::scratch::with_scratch;
use crate::ops::{self, Activation, Window};
use crate::{Result, Shape};

/// Values of the unfolded input that one task holds: half of a small L2 cache.
const TASK: usize = 64 * 1024;
/// Output pixels of a task at most.
const MAX_ROWS: usize = 256;

/// A convolution with its weights.
pub struct Conv2d {
    window: Window,
    /// `[h, w]` of the input.
    input: [usize; 2],
    c_in: usize,
    c_out: usize,
    activation: Activation,
    bias: Vec<f32>,
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
        let Panels { block, terms, columns, .. } = self.weights;
        let rows = (TASK / terms).clamp(1, MAX_ROWS).next_multiple_of(block.rows);
        output.par_chunks_mut(rows * self.c_out).enumerate().for_each(|(index, output)| {
            let count = output.len() / self.c_out;
            let (packed, products) = (packed_len(block, count, terms), packed_len(block, count, columns));
            with_scratch(terms + packed + products, |scratch| {
                let (row, scratch) = scratch.split_at_mut(terms);
                let (packed, products) = scratch.split_at_mut(packed);
                product::dispatch(Pixels { conv: self, input, first: index * rows, row, packed, products, output });
            });
        });
    }

    /// Writes the input values under the window at output pixel `position` of the batch, zeros for the padding.
    #[inline(always)]
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

/// The output pixels from `first` on that `output` has room for.
struct Pixels<'a> {
    conv: &'a Conv2d,
    input: &'a [f32],
    first: usize,
    /// One unfolded row.
    row: &'a mut [f32],
    /// All unfolded rows, packed.
    packed: &'a mut [f32],
    products: &'a mut [f32],
    output: &'a mut [f32],
}

impl Task for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Pixels { conv, input, first, row, packed, products, output } = self;
        let Panels { block, terms, columns, .. } = conv.weights;
        let count = output.len() / conv.c_out;
        row.fill(0.0);
        for index in 0..count {
            conv.unfold(first + index, input, &mut row[..conv.window.taps() * conv.c_in]);
            for (group, values) in row.as_chunks::<GROUP>().0.iter().enumerate() {
                packed[packed_position::<ROWS>(terms, index, group * GROUP)..][..GROUP].copy_from_slice(values);
            }
        }
        for column in (0..columns).step_by(block.columns) {
            let panel = conv.weights.panel(0, column);
            multiply::<S, ROWS>(simd, (packed, count), panel, &mut products[column..], columns);
        }
        for (output, products) in output.chunks_exact_mut(conv.c_out).zip(products.chunks_exact(columns)) {
            output.copy_from_slice(&products[..conv.c_out]);
            add_bias_and_activate(conv.activation, &conv.bias, output);
        }
    }
}
