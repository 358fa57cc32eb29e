//! `vgg-wgpu verify`: the GPU shaders against the CPU, layer by layer.

use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::difference::Difference;
use vgg_wgpu::extract::load_pixels;
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::{Error, Executor, Input, Network, Result, Tensor};

use super::args::VerifyArgs;
use super::exit::Outcome;

pub fn run(args: VerifyArgs) -> Result<Outcome> {
    if matches!(args.device, DeviceChoice::Auto | DeviceChoice::Cpu) {
        return Err(Error::Usage("verify compares a GPU with the CPU: --device takes gpu, a number or a name".into()));
    }
    let network = super::open_model(&args.model)?.network(Some(args.images.preprocess.into()))?;
    let images = pixels(&args, &network)?;
    let device = device::select(&args.device)?.device;
    let device = device.tuned(&network, Some(1), TuneMode::Cached, &mut super::warn)?;
    let expected = trace(&mut CpuExecutor::new(network.clone(), None, Some(1))?, &images)?;
    let mut gpu = device.executor(network, Some(1))?;
    super::say_always(&format!("{} images on {} and the CPU", images.len(), gpu.device()));
    let found = trace(gpu.as_mut(), &images)?;
    super::print_line(format_args!("{:<24} {:>14} {:>14} {:>14}", "layer", "largest value", "difference", "relative"))?;
    let mut outcome = Outcome::Complete;
    for (expected, found) in expected.iter().zip(&found) {
        let compared = compare(&expected.outputs, &found.outputs);
        let verdict = if compared.is_rounding() { "" } else { "  TOO LARGE" };
        if !verdict.is_empty() {
            outcome = Outcome::CheckFailed;
        }
        let (Difference { largest, difference }, relative) = (compared, compared.relative());
        super::print_line(format_args!(
            "{:<24} {largest:>14.6e} {difference:>14.3e} {relative:>14.3e}{verdict}",
            expected.layer
        ))?;
    }
    Ok(outcome)
}

/// One layer's output for each image.
struct Traced {
    layer: String,
    outputs: Vec<Tensor>,
}

fn trace(executor: &mut dyn Executor, images: &[Vec<u8>]) -> Result<Vec<Traced>> {
    let mut layers: Vec<Traced> = Vec::new();
    for pixels in images {
        let mut index = 0;
        executor.trace(Input::Pixels(pixels), &mut |node, output| {
            if index == layers.len() {
                layers.push(Traced { layer: node.layer.clone(), outputs: Vec::new() });
            }
            layers[index].outputs.push(output);
            index += 1;
            Ok(())
        })?;
    }
    Ok(layers)
}

/// Of all images.
fn compare(expected: &[Tensor], found: &[Tensor]) -> Difference {
    let pairs = expected.iter().zip(found);
    pairs.map(|(expected, found)| Difference::between(expected, found)).fold(Difference::default(), Difference::and)
}

/// The images named, or seeded noise.
fn pixels(args: &VerifyArgs, network: &Network) -> Result<Vec<Vec<u8>>> {
    let size = network.image_size().ok_or_else(|| Error::Usage("this network takes values, not images".into()))?;
    if args.files.is_empty() {
        return Ok((0..4).map(|seed| super::noise(seed, network.input.len())).collect());
    }
    let load = |path: &std::path::PathBuf| {
        load_pixels(path, size, args.images.resize.into())
            .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
    };
    args.files.iter().map(load).collect()
}
