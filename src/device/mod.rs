//! Which device computes: the meaning of `--device`.

mod gpu_or_cpu;

pub use gpu_or_cpu::gpu_or_cpu;

use std::str::FromStr;

use crate::cpu::CpuExecutor;
use crate::executor::Executor;
use crate::gpu::tuner::{self, TuneMode, Tuning};
use crate::gpu::{self, Adapter, GpuExecutor};
use crate::profile::Profiler;
use crate::{Error, Network, Result};

/// A device as the user names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The best adapter there is, software ones included.
    Gpu,
    /// The native CPU backend.
    Cpu,
    /// An adapter by its number in [`gpu::adapters`].
    Index(usize),
    /// The first adapter whose name contains this text, in any case.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<DeviceChoice, Self::Err> {
        Ok(match text {
            "auto" => DeviceChoice::Auto,
            "gpu" => DeviceChoice::Gpu,
            "cpu" => DeviceChoice::Cpu,
            _ => text.parse().map_or_else(|_| DeviceChoice::Name(text.to_owned()), DeviceChoice::Index),
        })
    }
}

/// A device that was chosen.
#[derive(Debug)]
pub enum Device {
    /// The native CPU backend.
    Cpu,
    /// A GPU through wgpu.
    Gpu(Box<Adapter>),
}

/// A device, and why it is the one.
#[derive(Debug)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// The reason, to be shown behind the device's name.
    pub reason: String,
}

/// The device that `choice` means for `network`. [`DeviceChoice::Auto`] takes a GPU that is no card of its own only where the
/// CPU is not known, or in that mode measured, to be much faster.
pub fn select_for(
    choice: &DeviceChoice,
    network: &Network,
    mode: TuneMode,
    notice: &mut dyn FnMut(&str),
) -> Result<Selected> {
    match select(choice)? {
        Selected { device: Device::Gpu(adapter), reason }
            if *choice == DeviceChoice::Auto && !adapter.is_discrete() =>
        {
            gpu_or_cpu(adapter, reason, network, mode, notice)
        }
        selected => Ok(selected),
    }
}

/// Finds the device that `choice` means. No adapter, or none of that number or name, is an [`Error::Device`] that lists
/// those there are.
pub fn select(choice: &DeviceChoice) -> Result<Selected> {
    let gpu = |adapter, reason: &str| Selected { device: Device::Gpu(Box::new(adapter)), reason: reason.into() };
    if *choice == DeviceChoice::Cpu {
        return Ok(Selected { device: Device::Cpu, reason: "as asked".into() });
    }
    let mut adapters = gpu::adapters();
    let best = (0..adapters.len()).min_by_key(|&index| adapters[index].rank());
    let position = match choice {
        DeviceChoice::Cpu => unreachable!("handled above"),
        DeviceChoice::Auto => match best.filter(|&index| adapters[index].is_hardware()) {
            Some(index) => return Ok(gpu(adapters.swap_remove(index), "the best hardware GPU")),
            None => return Ok(Selected { device: Device::Cpu, reason: no_hardware(&adapters) }),
        },
        DeviceChoice::Gpu => best,
        DeviceChoice::Index(index) => Some(*index).filter(|&index| index < adapters.len()),
        DeviceChoice::Name(name) => {
            let name = name.to_lowercase();
            adapters.iter().position(|adapter| adapter.name().to_lowercase().contains(&name))
        }
    };
    match position {
        Some(index) => Ok(gpu(adapters.swap_remove(index), "as asked")),
        None => Err(Error::Device(not_found(choice, &adapters))),
    }
}

impl Device {
    /// The device with the methods and the batch that are the fastest on it: see [`tuner::tune`]. A GPU that fails while it is
    /// measured is told to `notice`, and keeps the predicted ones.
    pub fn tuned(
        self,
        network: &Network,
        batch: Option<usize>,
        mode: TuneMode,
        notice: &mut dyn FnMut(&str),
    ) -> Result<Device> {
        let Device::Gpu(adapter) = self else { return Ok(self) };
        let tuning = match tuner::tune(&adapter, network, batch, mode, notice) {
            Err(Error::Device(problem)) => {
                notice(&format!("not tuned: {problem}"));
                Tuning::default()
            }
            tuning => tuning?,
        };
        Ok(Device::Gpu(Box::new(adapter.with_choices(tuning.choices).with_batch(tuning.batch))))
    }

    /// Compiles `network` for this device; `batch` asks for a batch size instead of the device's own choice.
    pub fn executor(self, network: Network, batch: Option<usize>) -> Result<Box<dyn Executor>> {
        Ok(self.profiler(network, batch)?)
    }

    /// [`Device::executor`], as one whose steps can be timed.
    pub fn profiler(self, network: Network, batch: Option<usize>) -> Result<Box<dyn Profiler>> {
        Ok(match self {
            Device::Cpu => Box::new(CpuExecutor::new(network, None, batch)?),
            Device::Gpu(adapter) => Box::new(GpuExecutor::new(network, &adapter, batch)?),
        })
    }
}

fn no_hardware(adapters: &[Adapter]) -> String {
    match adapters {
        [] => "no GPU adapter was found".into(),
        [only] => format!("the only GPU adapter, {}, is software: slower than the CPU backend", only.name()),
        _ => "all GPU adapters are software: slower than the CPU backend".into(),
    }
}

fn not_found(choice: &DeviceChoice, adapters: &[Adapter]) -> String {
    if adapters.is_empty() {
        return "no GPU adapter was found. A driver for Vulkan, Metal or DX12 is needed; \
                on Debian and Ubuntu, mesa-vulkan-drivers has one for the CPU. --device cpu works without"
            .into();
    }
    let wanted = match choice {
        DeviceChoice::Index(index) => format!("number {index}"),
        DeviceChoice::Name(name) => format!("named {name}"),
        DeviceChoice::Auto | DeviceChoice::Gpu | DeviceChoice::Cpu => unreachable!("found where there is any"),
    };
    let list: Vec<String> =
        adapters.iter().enumerate().map(|(index, adapter)| format!("{index} {}", adapter.name())).collect();
    format!("no GPU adapter {wanted}; there are: {}", list.join(", "))
}
