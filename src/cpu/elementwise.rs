//! Activations, batch normalisation and softmax.

use pulp::Simd;
use rayon::prelude::*;

use crate::Result;
use crate::ops::{self, Activation};

/// Rows, of as many values as there are channels, that one task takes.
const ROWS: usize = 256;

/// Adds `bias` to each row of `values` and applies the activation.
pub fn add_bias_and_activate(activation: Activation, bias: &[f32], values: &mut [f32]) {
    for row in values.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        activate_in_place(activation, row);
    }
}

/// The activation of every value.
pub fn activate(activation: Activation, input: &[f32], output: &mut [f32]) {
    output.copy_from_slice(input);
    output.par_chunks_mut(4096).for_each(|values| activate_in_place(activation, values));
}

/// The activation of every value.
#[inline(always)]
pub fn activate_in_place(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Linear => {}
        // NaN stays NaN, which f32::max would drop.
        Activation::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Sigmoid => values.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
        Activation::Tanh => values.iter_mut().for_each(|x| *x = x.tanh()),
    }
}

/// The activations that are an operation on vectors; the others are left to [`activate_in_place`].
#[inline(always)]
pub fn activate_vector<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    match activation {
        Activation::Relu => simd.select_f32s(simd.less_than_f32s(x, zero), zero, x),
        Activation::Linear | Activation::Sigmoid | Activation::Tanh => x,
    }
}

/// A batch normalisation with its parameters reduced to a factor and a summand.
pub struct BatchNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl BatchNorm {
    /// Reads the parameters.
    pub fn compile(op: &ops::BatchNorm) -> Result<BatchNorm> {
        let affine = op.load()?;
        let round = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Ok(BatchNorm { scale: round(affine.scale), shift: round(affine.shift) })
    }

    /// Rows of as many values as there are channels.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let channels = self.scale.len();
        let affine = |(output, input): (&mut [f32], &[f32])| {
            for (output, input) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
                for (((output, x), scale), shift) in output.iter_mut().zip(input).zip(&self.scale).zip(&self.shift) {
                    *output = x * scale + shift;
                }
            }
        };
        output.par_chunks_mut(ROWS * channels).zip(input.par_chunks(ROWS * channels)).for_each(affine);
    }
}

/// Softmax of each row of `channels` values, shifted by the row's maximum so that no exponent overflows.
pub fn softmax(channels: usize, input: &[f32], output: &mut [f32]) {
    output.par_chunks_mut(channels).zip(input.par_chunks(channels)).for_each(|(output, input)| {
        let max = input.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        output.iter_mut().zip(input).for_each(|(output, x)| *output = (x - max).exp());
        let sum: f64 = output.iter().map(|&x| f64::from(x)).sum();
        output.iter_mut().for_each(|x| *x = (f64::from(*x) / sum) as f32);
    });
}
