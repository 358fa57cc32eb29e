//! The backends under test.

use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::{Executor, Network, Result};

/// One way to run a network.
#[derive(Clone, Copy)]
pub struct Backend {
    /// The first part of its tests' names.
    pub name: &'static str,
    /// Listed as ignored instead of run.
    pub ignored: bool,
    /// An executor for batches of up to the given number of samples.
    pub make: fn(Network, usize) -> Result<Box<dyn Executor>>,
}

/// THE ONE PLACE where the executors under test are made. A backend whose device is missing fails its tests; only who
/// says so by VGG_WGPU_SKIP_GPU_TESTS=1 gets them ignored.
pub fn backends() -> Vec<Backend> {
    let skip_gpu = std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1");
    vec![Backend { name: "cpu", ignored: false, make: cpu }, Backend { name: "gpu", ignored: skip_gpu, make: gpu }]
}

fn cpu(network: Network, batch: usize) -> Result<Box<dyn Executor>> {
    Ok(Box::new(CpuExecutor::new(network, Some(2), Some(batch))?))
}

fn gpu(network: Network, batch: usize) -> Result<Box<dyn Executor>> {
    device::select(&DeviceChoice::Gpu)?.device.executor(network, Some(batch))
}
