//! Elementwise activations, and softmax.

use crate::Tensor;

/// An elementwise activation, as Keras names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
}

impl Activation {
    /// The activation of one value, in f64.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Linear => x,
            // NaN must stay NaN, as in Keras; f64::max would drop it.
            Activation::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Tanh => x.tanh(),
        }
    }

    /// The activation of every element.
    pub fn reference(self, input: &Tensor) -> Tensor {
        let data = input.data.iter().map(|&x| self.apply(x.into()) as f32).collect();
        Tensor::new(input.n, input.shape, data)
    }
}

/// Softmax over the last dimension, shifted by the row's maximum as Keras does so that no exponent overflows.
pub fn softmax_reference(input: &Tensor) -> Tensor {
    let mut output = input.clone();
    for row in output.data.chunks_exact_mut(input.shape.channels()) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f64> = row.iter().map(|&x| f64::from(x - max).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        for (value, exponential) in row.iter_mut().zip(exponentials) {
            *value = (exponential / sum) as f32;
        }
    }
    output
}
