//! `vgg-wgpu tune`: the methods that a GPU has for each layer shape, and how long each takes.

use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::gpu::tuner::{self, Trial, TuneMode};
use vgg_wgpu::{Error, LayerChoice, Result};

use super::args::TuneArgs;
use super::exit::Outcome;

pub fn run(args: TuneArgs) -> Result<Outcome> {
    if matches!(args.device, DeviceChoice::Auto | DeviceChoice::Cpu) {
        return Err(Error::Usage("GPUs are tuned: --device takes gpu, a number or a name".into()));
    }
    let network = super::open_model(&args.model)?.truncate(&LayerChoice::Auto)?.network(None)?;
    let Device::Gpu(adapter) = device::select(&args.device)?.device else { unreachable!("asked for a GPU") };
    super::print_line(adapter.describe())?;
    let tuning = tuner::tune(&adapter, &network, args.batch.map(Into::into), TuneMode::Force, &mut super::warn)?;
    let mut layer = None;
    for trial in &tuning.trials {
        if layer != Some(&trial.layer) {
            super::print_line(&trial.layer)?;
            layer = Some(&trial.layer);
        }
        super::print_line(row(trial))?;
    }
    super::print_line(format_args!(
        "\nin ms an image; * is taken from now on, - was not measured: much slower on a small layer, or time was up, and a \
         layer before decides"
    ))?;
    Ok(Outcome::Complete)
}

fn row(trial: &Trial) -> String {
    let mark = if trial.chosen { "*" } else { " " };
    let time = trial.seconds.map_or_else(|| "-".into(), |seconds| format!("{:.3}", 1e3 * seconds));
    format!("  {mark} {:30} {time:>10}", trial.method.to_string())
}
