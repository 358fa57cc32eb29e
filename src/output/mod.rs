//! The output file.

pub mod pickle;

pub use pickle::FeaturesWriter;
