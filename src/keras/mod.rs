//! Keras models: architecture, weights, truncation.

pub mod architecture;
pub mod cache;
mod json;
pub mod layer;
pub mod model;
pub mod summary;
pub mod untrained;

pub use architecture::{Architecture, DataFormat, ModelClass};
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
