//! Batch normalisation at inference: one scale and one shift a channel.

use crate::{Parameter, Result, Tensor};

/// `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`, per channel of the last dimension (Ioffe and Szegedy 2015,
/// with the moving averages that Keras stores).
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Channels of the last dimension.
    pub channels: usize,
    /// Keras's `epsilon`.
    pub epsilon: f64,
    /// `[channels]`; none where `scale=False`.
    pub gamma: Option<Parameter>,
    /// `[channels]`; none where `center=False`.
    pub beta: Option<Parameter>,
    /// `[channels]`: the moving mean.
    pub mean: Parameter,
    /// `[channels]`: the moving variance.
    pub variance: Parameter,
}

/// A normalisation reduced to `y = x * scale + shift`, in f64 so that folding it rounds once.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// One factor a channel.
    pub scale: Vec<f64>,
    /// One summand a channel.
    pub shift: Vec<f64>,
}

impl BatchNorm {
    /// Reads the four parameters and reduces them.
    pub fn load(&self) -> Result<Affine> {
        let or = |parameter: &Option<Parameter>, value| {
            parameter.as_ref().map_or_else(|| Ok(vec![value; self.channels]), Parameter::load)
        };
        let (gamma, beta) = (or(&self.gamma, 1.0)?, or(&self.beta, 0.0)?);
        let (mean, variance) = (self.mean.load()?, self.variance.load()?);
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + self.epsilon).sqrt())
            .collect();
        let shift = beta
            .iter()
            .zip(&mean)
            .zip(&scale)
            .map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale)
            .collect();
        Ok(Affine { scale, shift })
    }
}

impl Affine {
    /// The plain reference, for maps and vectors alike.
    pub fn reference(&self, input: &Tensor) -> Tensor {
        let mut output = input.clone();
        for row in output.data.chunks_exact_mut(self.scale.len()) {
            for ((value, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *value = (f64::from(*value) * scale + shift) as f32;
            }
        }
        output
    }
}
