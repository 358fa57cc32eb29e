//! Keras models: architecture, weights, truncation.

pub mod architecture;
pub mod cache;
pub mod layer;
pub mod model;
pub mod untrained;

pub use architecture::Architecture;
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
