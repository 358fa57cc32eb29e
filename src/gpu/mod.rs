//! The GPU backend: the only place that touches wgpu.

mod adapter;
mod aliased;
mod context;
mod executor;
mod guard;
mod profile;
mod texture;
pub mod tuner;
mod uploads;
mod weights;

pub use adapter::{Adapter, adapters};
pub use executor::GpuExecutor;
