//! `vgg-wgpu devices`: what could compute, and what would.

use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::{Result, gpu};

use super::exit::Outcome;

pub fn run() -> Result<Outcome> {
    for (index, adapter) in gpu::adapters().iter().enumerate() {
        super::print_line(format_args!("{index}  {}\n   {}", adapter.describe(), adapter.describe_limits()))?;
    }
    let selected = device::select(&DeviceChoice::Auto)?;
    let name = match &selected.device {
        Device::Cpu => "cpu",
        Device::Gpu(adapter) => adapter.name(),
    };
    let unless = match &selected.device {
        Device::Gpu(adapter) if !adapter.is_discrete() => "; the CPU where a run measures that it is much faster",
        Device::Gpu(_) | Device::Cpu => "",
    };
    super::print_line(format_args!("auto takes: {name} ({}){unless}", selected.reason))?;
    Ok(Outcome::Complete)
}
