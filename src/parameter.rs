//! A weight tensor that is known by name and shape, and read only when a backend asks for it.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use crate::{Error, Result};

/// Takes values that were read.
pub type Visit<'a> = dyn FnMut(&[f32]) -> Result<()> + 'a;

/// Where a parameter's values come from. Implemented by the weights file readers and by the seeded initialiser.
pub trait ParameterSource: fmt::Debug + Send + Sync {
    /// The `len` values of the parameter, row-major in its declared shape.
    fn load(&self, len: usize) -> Result<Vec<f32>>;

    /// The same in parts of `part_len` values, the last of which may have fewer: `visit` gets one after the other. Sources
    /// that can do so hold one at a time.
    fn load_parts(&self, len: usize, part_len: usize, visit: &mut Visit<'_>) -> Result<()> {
        self.load(len)?.chunks(part_len).try_for_each(visit)
    }

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
        self.check(0, &values)?;
        Ok(values)
    }

    /// Reads the values as [`Parameter::load`] does, but a part at a time: `visit` gets `part_len` values after the other.
    pub fn load_parts(&self, part_len: usize, visit: &mut Visit<'_>) -> Result<()> {
        let mut first = 0;
        self.source.load_parts(self.len(), part_len, &mut |values| {
            self.check(first, values)?;
            first += values.len();
            visit(values)
        })?;
        assert_eq!(first, self.len(), "{} does not fill {:?}", self.name, self.shape);
        Ok(())
    }

    /// An error where one of `values`, which are those from position `first` on, is no number.
    fn check(&self, first: usize, values: &[f32]) -> Result<()> {
        let Some(index) = first_not_finite(values) else { return Ok(()) };
        let (name, shape, value, position) = (&self.name, &self.shape, values[index], first + index);
        let problem = format!(
            "weight {name} {shape:?} holds {value} at position {position}; the file is damaged or its training diverged"
        );
        Err(Error::model(self.source.origin(), problem))
    }
}

/// Looked for in parallel and in whole blocks: a model's values are half a gigabyte.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    const BLOCK: usize = 64 * 1024;
    let finite = |block: &[f32]| block.iter().fold(true, |all, value| all & value.is_finite());
    let block = values.par_chunks(BLOCK).position_first(|block| !finite(block))?;
    values[block * BLOCK..].iter().position(|value| !value.is_finite()).map(|index| block * BLOCK + index)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_is_no_number_is_named() {
        let mut values = vec![1.0; 200_000];
        assert_eq!(first_not_finite(&values), None);
        for index in [199_999, 131_073, 131_072, 70_000, 1] {
            values[index] = f32::NEG_INFINITY;
            assert_eq!(first_not_finite(&values), Some(index));
        }
        values[0] = f32::NAN;
        assert_eq!(first_not_finite(&values), Some(0));
    }
}
