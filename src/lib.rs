//! Features of images from Keras VGG-style networks, on any GPU through wgpu or on the CPU.

pub mod cpu;
pub mod error;
pub mod executor;
pub mod fetch;
pub mod gpu;
pub mod images;
pub mod keras;
pub mod labels;
pub mod network;
pub mod ops;
pub mod output;
pub mod parameter;
pub mod plan;
pub mod progress;
pub mod reference;
mod temporary_file;
pub mod tensor;

pub use error::{Error, Result};
pub use executor::{Executor, Input};
pub use keras::{LayerChoice, Model};
pub use network::{Network, Node};
pub use parameter::Parameter;
pub use tensor::{Shape, Tensor};
