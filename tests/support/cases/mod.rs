//! The cases: small networks with random weights, and a batch of random samples for each.

mod chain;
mod conv2d;
mod dense;
mod elementwise;
mod networks;
mod pool2d;

use std::ops::Range;

use super::random::Random;
use vgg_wgpu::{Input, Network};

pub use chain::Chain;

/// A network and its input.
#[derive(Debug, Clone)]
pub struct Case {
    /// The op, and what is particular.
    pub name: String,
    /// One op, or a short chain.
    pub network: Network,
    /// Samples in the batch.
    pub n: usize,
    /// The batch.
    pub samples: Samples,
}

/// A batch that owns its values.
#[derive(Debug, Clone)]
pub enum Samples {
    /// 8-bit RGB.
    Pixels(Vec<u8>),
    /// f32.
    Values(Vec<f32>),
}

impl Samples {
    /// What an executor takes.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Samples::Pixels(pixels) => Input::Pixels(pixels),
            Samples::Values(values) => Input::Values(values),
        }
    }
}

impl Case {
    /// Some of the samples, as a batch of their own.
    pub fn part(&self, samples: Range<usize>) -> Samples {
        let len = self.network.input.len();
        let range = samples.start * len..samples.end * len;
        match &self.samples {
            Samples::Pixels(pixels) => Samples::Pixels(pixels[range].to_vec()),
            Samples::Values(values) => Samples::Values(values[range].to_vec()),
        }
    }

    /// `n` samples whose every value is far from the case's, NaN where the type has it.
    pub fn poison(&self, n: usize) -> Samples {
        let len = n * self.network.input.len();
        match self.samples {
            Samples::Pixels(_) => Samples::Pixels(Random::new("poison").bytes(len)),
            Samples::Values(_) => Samples::Values(vec![f32::NAN; len]),
        }
    }
}

/// Cases that no GPU computes.
pub fn cpu_only() -> Vec<Case> {
    pool2d::huge()
}

/// Every other case.
pub fn all() -> Vec<Case> {
    [conv2d::cases(), pool2d::cases(), dense::cases(), elementwise::cases(), networks::cases()].concat()
}
