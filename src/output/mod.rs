//! The output file.

mod opcode;
pub mod pickle;
pub mod reader;
mod unpickler;

pub use pickle::FeaturesWriter;
pub use reader::FeaturesReader;
