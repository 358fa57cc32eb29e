//! The network on the CPU: convolutions and dense layers as matrix products, spread over a pool of threads.

mod conv2d;
mod dense;
mod elementwise;
mod executor;
mod lanes;
mod pool2d;
mod product;
mod scratch;
mod step;
mod winograd;
mod zero_pad2d;

pub use executor::CpuExecutor;
