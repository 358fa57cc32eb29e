//! Keras models: architecture, weights, truncation.

pub mod architecture;
mod archive;
pub mod cache;
pub mod export;
mod json;
pub mod layer;
pub mod model;
mod open;
pub mod summary;
pub mod untrained;
mod weights;

pub use architecture::{Architecture, DataFormat, ModelClass};
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
