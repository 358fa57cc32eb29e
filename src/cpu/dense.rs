//! Fully connected layers.

use rayon::prelude::*;

use super::elementwise::add_bias_and_activate;
use super::matrix::{Matrix, multiply};
use crate::Result;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{self, Activation};

/// Inputs that one task sums over. Fixed, so that results do not depend on the number of threads.
const INPUTS: usize = 1024;

/// A dense layer with its weights, in Keras's layout: repacking VGG16's first would need twice its 411 MB.
pub struct Dense {
    inputs: usize,
    units: usize,
    activation: Activation,
    weights: LinearWeights,
}

impl Dense {
    /// Reads the weights.
    pub fn compile(op: &ops::Dense) -> Result<Dense> {
        let ops::Dense { inputs, units, activation, .. } = *op;
        Ok(Dense { inputs, units, activation, weights: op.load()? })
    }

    /// `input` `[n, inputs]`, `output` `[n, units]`. Tasks read the weights in whole rows, as they lie in memory, and their
    /// sums are added up in the end.
    pub fn run(&self, n: usize, input: &[f32], output: &mut [f32]) {
        let mut partial = vec![0.0; self.inputs.div_ceil(INPUTS) * output.len()];
        partial.par_chunks_mut(output.len()).enumerate().for_each(|(index, partial)| {
            let first = index * INPUTS;
            let count = (self.inputs - first).min(INPUTS);
            let vectors = Matrix { data: &input[first..], rows: n, columns: count, stride: self.inputs };
            let kernel = Matrix::new(&self.weights.kernel[first * self.units..], count, self.units);
            multiply(partial, vectors, kernel);
        });
        output.fill(0.0);
        for partial in partial.chunks_exact(output.len()) {
            output.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
        }
        add_bias_and_activate(self.activation, &self.weights.bias, output);
    }
}
