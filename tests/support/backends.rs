//! The backends under test.

use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::gpu::GpuExecutor;
use vgg_wgpu::{Executor, Input, Network, Node, Result, Tensor};

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
    let Device::Gpu(adapter) = device::select(&DeviceChoice::Gpu)?.device else { unreachable!("asked for a GPU") };
    Ok(Box::new(Guarded(GpuExecutor::with_guard(network, &adapter, Some(batch), GUARD)?)))
}

/// Texels and layers around each texture.
const GUARD: usize = 3;

/// The GPU, whose textures are larger than planned and full of NaN: a shader that reads outside spoils its result, one that
/// writes outside fails here. The CPU backend writes through slices of the right length, which Rust checks.
struct Guarded(GpuExecutor);

impl Guarded {
    fn check(&self) {
        assert!(self.0.guards_hold().unwrap(), "something was written outside of the planned textures");
    }
}

impl Executor for Guarded {
    fn device(&self) -> String {
        self.0.device()
    }

    fn max_batch(&self) -> usize {
        self.0.max_batch()
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        self.0.submit(input)
    }

    fn collect(&mut self) -> Result<Tensor> {
        let output = self.0.collect();
        self.check();
        output
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        self.0.trace(input, visit)?;
        self.check();
        Ok(())
    }
}
