//! Keras models: architecture, weights, truncation.

pub mod architecture;
pub mod layer;
pub mod model;

pub use architecture::Architecture;
pub use layer::{Layer, LayerKind};
pub use model::{LayerChoice, Model};
