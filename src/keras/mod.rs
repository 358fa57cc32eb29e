//! Keras models: architecture, weights, truncation.

pub mod architecture;
mod json;
pub mod layer;
pub mod model;
mod summary;

pub use architecture::{Architecture, DataFormat, ModelClass};
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
