//! A weight tensor that is known by name and shape, and read only when a backend asks for it.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Result};

/// Where a parameter's values come from. Implemented by the weights file readers and by the seeded initialiser.
pub trait ParameterSource: fmt::Debug + Send + Sync {
    /// The `len` values of the parameter, row-major in its declared shape.
    fn load(&self, len: usize) -> Result<Vec<f32>>;

    /// The file, or a description of where the values are made, for error messages.
    fn origin(&self) -> String;
}

/// A weight tensor not yet in memory. Backends load one at a time, repack it, and let it go, so that a
/// model's weights are never held twice.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The name in the weights file, or the Keras name, such as `block1_conv1/kernel`.
    pub name: String,
    /// Keras's shape, slowest dimension first.
    pub shape: Vec<usize>,
    source: Arc<dyn ParameterSource>,
}

impl Parameter {
    /// A parameter read from `source` on demand.
    pub fn new(name: impl Into<String>, shape: Vec<usize>, source: Arc<dyn ParameterSource>) -> Parameter {
        Parameter { name: name.into(), shape, source }
    }

    /// A parameter whose values are at hand: `values` fills `shape`.
    pub fn in_memory(name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) -> Parameter {
        Parameter::new(name, shape, Arc::new(InMemory(values)))
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the parameter holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the values. NaN and infinity are errors: no trained network has them, and features made with them mean nothing.
    pub fn load(&self) -> Result<Vec<f32>> {
        let values = self.source.load(self.len())?;
        assert_eq!(values.len(), self.len(), "{} does not fill {:?}", self.name, self.shape);
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(Error::model(
                self.source.origin(),
                format!(
                    "weight {} {:?} holds {} at position {index}; the file is damaged or its training diverged",
                    self.name, self.shape, values[index]
                ),
            )),
        }
    }
}

#[derive(Debug)]
struct InMemory(Vec<f32>);

impl ParameterSource for InMemory {
    fn load(&self, _len: usize) -> Result<Vec<f32>> {
        Ok(self.0.clone())
    }

    fn origin(&self) -> String {
        "weights in memory".into()
    }
}
