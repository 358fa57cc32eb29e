//! The backends under test.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, ThreadId};

use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::gpu::{Adapter, GpuExecutor};
use vgg_wgpu::{Executor, Input, Network, Node, Result, Tensor};

use super::methods::{self, Family};
use super::plans::LAVAPIPE;

/// One way to run a network.
#[derive(Clone)]
pub struct Backend {
    /// The first part of its tests' names.
    pub name: String,
    /// Listed as ignored instead of run.
    pub ignored: bool,
    device: BackendDevice,
}

#[derive(Clone)]
enum BackendDevice {
    Cpu,
    Gpu(Family),
}

impl Backend {
    /// Whether it computes `network` in another way than a backend before it. What adapters can do differs, but not which
    /// ops have several methods.
    pub fn differs(&self, network: &Network) -> bool {
        match &self.device {
            BackendDevice::Cpu => true,
            BackendDevice::Gpu(family) => family.differs(network, &LAVAPIPE),
        }
    }

    /// An executor for batches of up to `batch` samples.
    pub fn make(&self, network: Network, batch: usize) -> Result<Box<dyn Executor>> {
        match &self.device {
            BackendDevice::Cpu => Ok(Box::new(CpuExecutor::new(network, Some(2), Some(batch))?)),
            BackendDevice::Gpu(family) => gpu(family, network, batch),
        }
    }
}

/// THE ONE PLACE where the executors under test are made. A backend whose device is missing fails its tests; only who
/// says so by VGG_WGPU_SKIP_GPU_TESTS=1 gets them ignored.
pub fn backends() -> Vec<Backend> {
    let skip_gpu = std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1");
    let cpu = Backend { name: "cpu".into(), ignored: false, device: BackendDevice::Cpu };
    let gpus = methods::families().into_iter().map(|family| Backend {
        name: format!("gpu_{}", family.name),
        ignored: skip_gpu,
        device: BackendDevice::Gpu(family),
    });
    [cpu].into_iter().chain(gpus).collect()
}

/// The best adapter of each thread, and as hardware: its tests share their devices, and what is compiled on them. Not values of
/// the thread's own, which are gone at its end in an order that drivers do not expect.
static ADAPTERS: LazyLock<Mutex<HashMap<(ThreadId, bool), Adapter>>> = LazyLock::new(Mutex::default);

fn adapter(is_hardware: bool) -> Result<Adapter> {
    Ok(match ADAPTERS.lock().expect("nothing panics here").entry((thread::current().id(), is_hardware)) {
        Entry::Occupied(known) => known.get().clone(),
        Entry::Vacant(unknown) => {
            let Device::Gpu(best) = device::select(&DeviceChoice::Gpu)?.device else { unreachable!("asked for a GPU") };
            unknown.insert(if is_hardware { best.as_hardware() } else { *best }).clone()
        }
    })
}

fn gpu(family: &Family, network: Network, batch: usize) -> Result<Box<dyn Executor>> {
    let adapter = adapter(family.is_hardware)?;
    let choices = family.choices(&network, &adapter.limits());
    let adapter = adapter.with_choices(choices);
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
