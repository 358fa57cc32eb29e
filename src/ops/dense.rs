//! Fully connected layer: a matrix product with bias and activation.

use super::conv2d::{self, LinearWeights};
use super::{Activation, BatchNorm};
use crate::parameter::Visit;
use crate::{Parameter, Result, Shape, Tensor};

/// `y[n, o] = act(bias[o] + sum over i of x[n, i] * kernel[i, o])`.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Length of the input vector.
    pub inputs: usize,
    /// Length of the output vector.
    pub units: usize,
    /// Applied last.
    pub activation: Activation,
    /// `[inputs, units]`.
    pub kernel: Parameter,
    /// `[units]`; none means zeros.
    pub bias: Option<Parameter>,
    /// A batch normalisation of the output, before the activation: folded into kernel and bias at load.
    pub batch_norm: Option<BatchNorm>,
}

impl Dense {
    /// Reads the weights into memory.
    pub fn load(&self) -> Result<LinearWeights> {
        LinearWeights::load(&self.kernel, self.bias.as_ref(), self.units, self.batch_norm.as_ref())
    }

    /// Reads the bias: one value a unit.
    pub fn load_bias(&self) -> Result<Vec<f32>> {
        LinearWeights::load_bias(self.bias.as_ref(), self.units, self.batch_norm.as_ref())
    }

    /// Reads the kernel as [`Dense::load`] does, but `rows` inputs at a time: `visit` gets their rows, `[rows, units]`, one
    /// part after the other.
    pub fn load_rows(&self, rows: usize, visit: &mut Visit<'_>) -> Result<()> {
        let Some(batch_norm) = &self.batch_norm else { return self.kernel.load_parts(rows * self.units, visit) };
        let scale = batch_norm.load()?.scale;
        self.kernel.load_parts(rows * self.units, &mut |part| {
            let mut part = part.to_vec();
            conv2d::scale_channels(&mut part, &scale);
            visit(&part)
        })
    }

    /// The plain reference for vectors `[inputs]`.
    pub fn reference(&self, input: &Tensor, weights: &LinearWeights) -> Tensor {
        let mut output = Tensor::zeros(input.n, Shape::Vector(self.units));
        for (vector, out) in input.data.chunks_exact(self.inputs).zip(output.data.chunks_exact_mut(self.units)) {
            let mut sums: Vec<f64> = weights.bias.iter().map(|&bias| bias.into()).collect();
            for (&value, row) in vector.iter().zip(weights.kernel.chunks_exact(self.units)) {
                sums.iter_mut().zip(row).for_each(|(sum, &k)| *sum += f64::from(value) * f64::from(k));
            }
            out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = self.activation.apply(sum) as f32);
        }
        output
    }
}
