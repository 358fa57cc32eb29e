//! `vgg-wgpu verify`: the GPU shaders against the CPU, layer by layer.

use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::extract::load_pixels;
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::{Error, Executor, Input, Network, Result, Tensor};

use super::args::VerifyArgs;
use super::exit::Outcome;

/// The largest difference, relative to the layer's largest value, that rounding explains: both sides are f32, and the
/// deepest sum of VGG16 has 25,088 terms.
const TOLERANCE: f64 = 2e-5;

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
    eprintln!("{} images on {} and the CPU", images.len(), gpu.device());
    let found = trace(gpu.as_mut(), &images)?;
    println!("{:<24} {:>14} {:>14} {:>14}", "layer", "largest value", "difference", "relative");
    let mut outcome = Outcome::Complete;
    for (expected, found) in expected.iter().zip(&found) {
        let (largest, difference) = compare(&expected.outputs, &found.outputs);
        let relative = if difference == 0.0 { 0.0 } else { difference / largest };
        // Written so that NaN fails.
        let verdict = if relative <= TOLERANCE { "" } else { "  TOO LARGE" };
        if !verdict.is_empty() {
            outcome = Outcome::CheckFailed;
        }
        println!("{:<24} {largest:>14.6e} {difference:>14.3e} {relative:>14.3e}{verdict}", expected.layer);
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

/// The largest magnitude in `expected`, and the largest difference; NaN anywhere makes the difference NaN.
fn compare(expected: &[Tensor], found: &[Tensor]) -> (f64, f64) {
    let pairs = expected.iter().zip(found).flat_map(|(expected, found)| expected.data.iter().zip(&found.data));
    pairs.fold((0.0, 0.0), |(largest, difference), (&expected, &found)| {
        let here = (f64::from(expected) - f64::from(found)).abs();
        let difference = if here.is_nan() || here > difference { here } else { difference };
        (f64::max(largest, f64::from(expected).abs()), difference)
    })
}

/// The images named, or seeded noise.
fn pixels(args: &VerifyArgs, network: &Network) -> Result<Vec<Vec<u8>>> {
    let size = network.image_size().ok_or_else(|| Error::Usage("this network takes values, not images".into()))?;
    if args.files.is_empty() {
        return Ok((0..4).map(|seed| noise(seed, network.input.len())).collect());
    }
    let load = |path: &std::path::PathBuf| {
        load_pixels(path, size, args.images.resize.into())
            .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
    };
    args.files.iter().map(load).collect()
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let mut bytes = vec![0; len];
    rand_chacha::ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}
