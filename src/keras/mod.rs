//! Keras models: architecture, weights, truncation.

pub mod architecture;
mod json;
pub mod layer;
pub mod model;
pub mod summary;

pub use architecture::{Architecture, DataFormat, ModelClass};
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
