//! `vgg-wgpu plan`: what a GPU would be told to do, and the least time it could take.

use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::roofline::{self, Bound, LayerCost, Peak};
use vgg_wgpu::{Error, Result};

use super::args::PlanArgs;
use super::exit::Outcome;

/// A mid-range card's, where nothing is known of the device.
const MID_RANGE: Peak = Peak { tflops: 10.0, gb_per_s: 300.0 };

pub fn run(args: PlanArgs) -> Result<Outcome> {
    if matches!(args.device, DeviceChoice::Auto | DeviceChoice::Cpu) {
        return Err(Error::Usage("plans are made for GPUs: --device takes gpu, a number or a name".into()));
    }
    let peak = Peak {
        tflops: args.peak.peak_tflops.unwrap_or(MID_RANGE.tflops),
        gb_per_s: args.peak.peak_gb_per_s.unwrap_or(MID_RANGE.gb_per_s),
    };
    let network =
        super::open_model(&args.model)?.truncate(&args.layer.layer)?.network(Some(args.images.preprocess.into()))?;
    let batch = args.batch.map(Into::into);
    let device = device::select(&args.device)?.device.tuned(&network, batch, TuneMode::Cached, &mut super::warn)?;
    let Device::Gpu(adapter) = device else { unreachable!("asked for a GPU") };
    let plan = adapter.plan(&network, batch)?;
    let costs = roofline::costs(&network, plan.batch);
    super::print_line(adapter.describe())?;
    super::print_line(format_args!(
        "batches of {}, activations take {} MiB",
        plan.batch,
        plan.activation_bytes() >> 20
    ))?;
    super::print_line(format_args!(
        "roofline of {} TFLOP/s and {} GB/s, for a batch: predicted\n",
        peak.tflops, peak.gb_per_s
    ))?;
    super::print_line(format_args!(
        "{:18} {:24} {:>9} {:>9} {:>8} {:>9}  shaders",
        "layer", "output", "GFLOP", "MB", "FLOP/B", "ms"
    ))?;
    // The first step may preprocess, which is no node's.
    let steps = &plan.steps[plan.steps.len() - costs.len()..];
    let mut is_pooled = false;
    for (cost, step) in costs.iter().zip(steps) {
        let shaders = if is_pooled { "with the layer before".to_owned() } else { step.shaders() };
        super::print_line(row(cost, &shaders, peak))?;
        is_pooled = step.pooled.is_some();
    }
    let seconds: f64 = costs.iter().map(|cost| cost.seconds(peak).0).sum();
    super::print_line(format_args!(
        "\nat least {:.2} ms an image, {:.0} images/s",
        1e3 * seconds / plan.batch as f64,
        plan.batch as f64 / seconds
    ))?;
    Ok(Outcome::Complete)
}

fn row(cost: &LayerCost, shaders: &str, peak: Peak) -> String {
    let (seconds, bound) = cost.seconds(peak);
    let bound = match bound {
        Bound::Arithmetic => "arithmetic",
        Bound::Memory => "memory",
    };
    format!(
        "{:18} {:24} {:9.2} {:9.1} {:8.1} {:9.3}  {shaders} ({bound})",
        cost.layer,
        cost.output.to_string(),
        cost.flops as f64 / 1e9,
        cost.bytes as f64 / 1e6,
        cost.intensity(),
        1e3 * seconds,
    )
}
