//! Seconds an image of VGG16 through its second dense layer, with random weights.
//!
//! `cargo bench --bench vgg16 -- --device gpu --layers`; `--help` lists the rest.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::executor::Executor;
use vgg_wgpu::keras::{Architecture, Model};
use vgg_wgpu::ops::PreprocessMode;
use vgg_wgpu::parameter::ParameterSource;
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::{Input, LayerChoice, Network, Parameter, Result, Tensor};

/// What to time.
#[derive(Debug, Parser)]
struct Arguments {
    /// cpu, gpu, or an adapter's number or name
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Images in a batch
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Timed repetitions, of which the median counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Also time each layer
    #[arg(long)]
    layers: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let network = vgg16(&LayerChoice::Auto)?;
    let mut executor = device::select(&arguments.device)?.device.executor(network.clone(), Some(arguments.batch))?;
    check(executor.as_mut(), &network)?;
    println!("{}, batch {}, {} rounds", executor.device(), arguments.batch, arguments.rounds);
    let mut pixels = vec![0; arguments.batch * network.input.len()];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut pixels);
    time(executor.as_mut(), &network, &pixels, arguments.rounds)?;
    if arguments.layers {
        time_layers(executor.as_mut(), &network, &pixels, arguments.rounds)?;
    }
    Ok(())
}

/// VGG16 up to a layer.
fn vgg16(layer: &LayerChoice) -> Result<Network> {
    let architecture = Architecture::vgg16();
    let mut parameters = Vec::new();
    for (index, layer) in architecture.layers.iter().enumerate() {
        let shapes = layer.kind.parameters(architecture.input_of(index));
        let named = shapes.into_iter().map(|(name, shape)| {
            let terms: usize = shape[..shape.len() - 1].iter().product();
            Parameter::new(name, shape, Arc::new(HeUniform { seed: index as u64, limit: (6.0 / terms as f32).sqrt() }))
        });
        parameters.push(named.collect());
    }
    Model::new(architecture, parameters, "random weights").truncate(layer)?.network(Some(PreprocessMode::Caffe))
}

/// Weights of a size that values keep from layer to layer, as in a trained network; made when read, as from a file.
#[derive(Debug)]
struct HeUniform {
    seed: u64,
    limit: f32,
}

impl ParameterSource for HeUniform {
    fn load(&self, len: usize) -> Result<Vec<f32>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let unit = self.limit / 2f32.powi(23);
        Ok((0..len).map(|_| (random.next_u32() as i32 >> 8) as f32 * unit).collect())
    }

    fn origin(&self) -> String {
        "random weights".into()
    }
}

/// One image against the f64 reference: a benchmark of wrong results is none.
fn check(executor: &mut dyn Executor, network: &Network) -> std::result::Result<(), Box<dyn Error>> {
    let mut pixels = vec![0; network.input.len()];
    ChaCha8Rng::seed_from_u64(2).fill_bytes(&mut pixels);
    let expected = ReferenceExecutor::new(network.clone()).run(Input::Pixels(&pixels))?;
    let actual = executor.run(Input::Pixels(&pixels))?;
    let error = relative_error(&actual, &expected);
    println!("largest error: {error:.1e} of the largest feature");
    if error < 2e-5 { Ok(()) } else { Err("wrong results".into()) }
}

/// The largest difference as a share of the largest value.
fn relative_error(actual: &Tensor, expected: &Tensor) -> f64 {
    let largest = expected.data.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let differences = actual.data.iter().zip(&expected.data).map(|(a, e)| f64::from((a - e).abs()));
    differences.fold(0.0, |worst, d| if d <= worst { worst } else { d }) / f64::from(largest)
}

fn time(executor: &mut dyn Executor, network: &Network, pixels: &[u8], rounds: usize) -> Result<()> {
    let n = (pixels.len() / network.input.len()) as f64;
    executor.run(Input::Pixels(pixels))?;
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        executor.run(Input::Pixels(pixels))?;
        seconds.push(start.elapsed().as_secs_f64() / n);
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[rounds / 2];
    let spread = (seconds[0], seconds[rounds - 1]);
    let rate = network.flops() as f64 / median / 1e9;
    println!(
        "{median:.4} s an image (median; {:.4} to {:.4}), {rate:.0} GFLOP/s of direct convolution",
        spread.0, spread.1
    );
    Ok(())
}

fn time_layers(executor: &mut dyn Executor, network: &Network, pixels: &[u8], rounds: usize) -> Result<()> {
    let n = (pixels.len() / network.input.len()) as f64;
    let mut seconds = vec![Vec::new(); network.nodes.len()];
    for _ in 0..rounds {
        let mut index = 0;
        let mut start = Instant::now();
        executor.trace(Input::Pixels(pixels), &mut |_, tensor| {
            seconds[index].push(start.elapsed().as_secs_f64() / n);
            index += 1;
            drop(tensor);
            start = Instant::now();
            Ok(())
        })?;
    }
    println!("each layer, with a copy of its output:");
    for (node, mut seconds) in network.nodes.iter().zip(seconds) {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[rounds / 2];
        let rate = node.op.flops(node.input) as f64 / median / 1e9;
        println!("{:18} {:24} {:8.2} ms {rate:8.1} GFLOP/s", node.layer, node.output.to_string(), median * 1e3);
    }
    Ok(())
}
