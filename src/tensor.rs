//! Shapes of one sample, and dense f32 tensors on the host.

use std::fmt;

/// The shape of one sample, without the batch dimension, in Keras's channels-last order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A feature map `[h, w, c]`: what convolutions and pools work on.
    Map {
        /// Rows.
        h: usize,
        /// Columns.
        w: usize,
        /// Channels, the fastest-varying dimension.
        c: usize,
    },
    /// A vector `[len]`: what Flatten makes and Dense works on.
    Vector(usize),
}

impl Shape {
    /// The number of elements of one sample, or `None` where it exceeds `usize`.
    pub fn checked_len(self) -> Option<usize> {
        match self {
            Shape::Map { h, w, c } => h.checked_mul(w)?.checked_mul(c),
            Shape::Vector(len) => Some(len),
        }
    }

    /// The number of elements of one sample. Shapes in an [`crate::keras::Architecture`] are checked not to overflow.
    pub fn len(self) -> usize {
        self.checked_len().expect("a shape was built without its size check")
    }

    /// Whether the shape holds no element at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The size of the last dimension: channels of a map, length of a vector.
    pub fn channels(self) -> usize {
        match self {
            Shape::Map { c, .. } => c,
            Shape::Vector(len) => len,
        }
    }

    /// The dimensions of one sample, slowest first.
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Map { h, w, c } => vec![h, w, c],
            Shape::Vector(len) => vec![len],
        }
    }
}

impl fmt::Display for Shape {
    /// As Keras prints it, batch dimension included: `(None, 224, 224, 64)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Map { h, w, c } => write!(f, "(None, {h}, {w}, {c})"),
            Shape::Vector(len) => write!(f, "(None, {len})"),
        }
    }
}

/// A batch of `n` samples of one [`Shape`], contiguous, row-major: `[n, h, w, c]` or `[n, len]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Samples in the batch.
    pub n: usize,
    /// The shape of each sample.
    pub shape: Shape,
    /// `n * shape.len()` values.
    pub data: Vec<f32>,
}

impl Tensor {
    /// Wraps `data`, which must hold `n * shape.len()` values.
    pub fn new(n: usize, shape: Shape, data: Vec<f32>) -> Tensor {
        assert_eq!(data.len(), n * shape.len(), "data does not fill [{n}] x {shape}");
        Tensor { n, shape, data }
    }

    /// All zeros.
    pub fn zeros(n: usize, shape: Shape) -> Tensor {
        Tensor { n, shape, data: vec![0.0; n * shape.len()] }
    }

    /// The values of sample `index`.
    pub fn sample(&self, index: usize) -> &[f32] {
        let len = self.shape.len();
        &self.data[index * len..][..len]
    }
}
