//! 2-D convolution (cross-correlation, as Keras has it) with bias and activation.

use super::{Activation, BatchNorm, Window};
use crate::{Parameter, Result, Shape, Tensor};

/// `y[n, oy, ox, o] = act(bias[o] + sum over ky, kx, i of x[n, oy*sh + ky - top, ox*sw + kx - left, i] * kernel[ky, kx, i, o])`,
/// with `x` zero outside the map.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// Kernel size, stride, padding and output size.
    pub window: Window,
    /// Input channels.
    pub c_in: usize,
    /// Output channels: Keras's `filters`.
    pub c_out: usize,
    /// Applied last.
    pub activation: Activation,
    /// `[kh, kw, c_in, c_out]`.
    pub kernel: Parameter,
    /// `[c_out]`; none means zeros.
    pub bias: Option<Parameter>,
    /// A batch normalisation of the output, before the activation: folded into kernel and bias at load.
    pub batch_norm: Option<BatchNorm>,
}

/// A linear op's weights in memory, batch normalisation folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearWeights {
    /// Output channels are the last, fastest dimension.
    pub kernel: Vec<f32>,
    /// One value an output channel.
    pub bias: Vec<f32>,
}

impl LinearWeights {
    /// Reads kernel and bias; a folded normalisation scales each output channel of both.
    pub(super) fn load(
        kernel: &Parameter,
        bias: Option<&Parameter>,
        channels: usize,
        batch_norm: Option<&BatchNorm>,
    ) -> Result<LinearWeights> {
        let mut kernel = kernel.load()?;
        if let Some(batch_norm) = batch_norm {
            scale_channels(&mut kernel, &batch_norm.load()?.scale);
        }
        Ok(LinearWeights { kernel, bias: LinearWeights::load_bias(bias, channels, batch_norm)? })
    }

    /// Reads the bias alone.
    pub(super) fn load_bias(
        bias: Option<&Parameter>,
        channels: usize,
        batch_norm: Option<&BatchNorm>,
    ) -> Result<Vec<f32>> {
        let mut bias = bias.map_or_else(|| Ok(vec![0.0; channels]), Parameter::load)?;
        if let Some(batch_norm) = batch_norm {
            let affine = batch_norm.load()?;
            for ((value, scale), shift) in bias.iter_mut().zip(&affine.scale).zip(&affine.shift) {
                *value = (f64::from(*value) * scale + shift) as f32;
            }
        }
        Ok(bias)
    }
}

/// Scales each output channel of whole rows of a kernel.
pub(super) fn scale_channels(kernel: &mut [f32], scale: &[f64]) {
    for row in kernel.chunks_exact_mut(scale.len()) {
        for (value, scale) in row.iter_mut().zip(scale) {
            *value = (f64::from(*value) * scale) as f32;
        }
    }
}

impl Conv2d {
    /// `[oh, ow, c_out]`.
    pub fn output_shape(&self) -> Shape {
        let [h, w] = self.window.output;
        Shape::Map { h, w, c: self.c_out }
    }

    /// Reads the weights into memory.
    pub fn load(&self) -> Result<LinearWeights> {
        LinearWeights::load(&self.kernel, self.bias.as_ref(), self.c_out, self.batch_norm.as_ref())
    }

    /// The plain reference for maps `[h, w, c_in]`.
    pub fn reference(&self, input: &Tensor, weights: &LinearWeights) -> Tensor {
        let Shape::Map { h, w, c: c_in } = input.shape else { panic!("conv2d needs a map") };
        let mut output = Tensor::zeros(input.n, self.output_shape());
        let [oh, ow] = self.window.output;
        let mut sums = vec![0f64; self.c_out];
        for (position, pixel) in output.data.chunks_exact_mut(self.c_out).enumerate() {
            let (n, oy, ox) = (position / (oh * ow), position / ow % oh, position % ow);
            sums.iter_mut().zip(&weights.bias).for_each(|(sum, &bias)| *sum = bias.into());
            for (ky, y) in self.window.covered(0, oy, h) {
                for (kx, x) in self.window.covered(1, ox, w) {
                    for i in 0..c_in {
                        let value = f64::from(input.data[((n * h + y) * w + x) * c_in + i]);
                        let tap = (ky * self.window.kernel[1] + kx) * c_in + i;
                        let row = &weights.kernel[tap * self.c_out..][..self.c_out];
                        sums.iter_mut().zip(row).for_each(|(sum, &k)| *sum += value * f64::from(k));
                    }
                }
            }
            pixel.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = self.activation.apply(sum) as f32);
        }
        output
    }
}
