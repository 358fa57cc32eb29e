//! Seeded random weights, as Keras initialises a new model.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::architecture::Architecture;
use super::model::Model;
use crate::parameter::ParameterSource;
use crate::{Error, Parameter, Result};

/// A model with fresh weights: Glorot-uniform kernels (Glorot and Bengio 2010, Keras's default), everything else constant.
/// Each parameter has a stream of its own, so a seed gives the same values on every machine and in whatever order they are
/// read. Features made with them mean nothing.
pub fn model(architecture: Architecture, seed: u64) -> Model {
    let mut streams = 0..;
    let parameters = architecture.layers.iter().enumerate().map(|(index, layer)| {
        let expected = layer.kind.parameters(architecture.input_of(index));
        let fresh = expected.into_iter().map(|(name, shape)| {
            let initializer = Initializer::keras_default(name, &shape, seed, streams.next().expect("endless"));
            Parameter::new(format!("{}/{name}", layer.name), shape, Arc::new(initializer))
        });
        fresh.collect()
    });
    let parameters = parameters.collect();
    Model::new(architecture, parameters, format!("untrained weights (seed {seed}), whose features mean nothing"))
}

/// How a parameter's first values are made.
#[derive(Debug)]
enum Initializer {
    /// Uniform between `-limit` and `limit`.
    Uniform {
        limit: f64,
        seed: u64,
        stream: u64,
    },
    Constant(f32),
}

impl Initializer {
    /// What a Keras layer uses where it is not told otherwise.
    fn keras_default(name: &str, shape: &[usize], seed: u64, stream: u64) -> Initializer {
        match (name, shape) {
            ("kernel", [receptive_field @ .., fan_in, fan_out]) => {
                let receptive_field: usize = receptive_field.iter().product();
                let limit = (6.0 / (receptive_field * (fan_in + fan_out)) as f64).sqrt();
                Initializer::Uniform { limit, seed, stream }
            }
            ("gamma" | "moving_variance", _) => Initializer::Constant(1.0),
            _ => Initializer::Constant(0.0),
        }
    }
}

impl ParameterSource for Initializer {
    fn load(&self, len: usize) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).map_err(|_| {
            let problem =
                format!("there is no memory for a weight of {len} values: it takes more memory, or smaller layers");
            Error::model(self.origin(), problem)
        })?;
        match *self {
            Initializer::Constant(value) => values.resize(len, value),
            Initializer::Uniform { limit, seed, stream } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(stream);
                // The upper 24 bits are all that an f32 in [0, 1) holds; the middle of each step keeps the mean at 0.
                let value = |bits: u32| ((f64::from(bits >> 8) + 0.5) / f64::from(1 << 23) - 1.0) * limit;
                values.extend((0..len).map(|_| value(rng.next_u32()) as f32));
            }
        }
        Ok(values)
    }

    fn origin(&self) -> String {
        "untrained weights".into()
    }
}
