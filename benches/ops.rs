//! Each op of VGG16, at each shape that it has there, and the whole network: on a GPU, on the CPU backend and by the plain f64
//! reference. A device's result is compared with the reference's before it is timed. One sample, random weights.
//!
//! `cargo bench --bench ops`; `--help` lists the options.

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::difference::Difference;
use vgg_wgpu::keras::{Architecture, untrained};
use vgg_wgpu::ops::{Preprocess, PreprocessMode};
use vgg_wgpu::profile::{ProfiledStep, Profiler, Spread, time_steps};
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::roofline::LayerCost;
use vgg_wgpu::{Executor, Input, LayerChoice, Network, Node, Result, Shape, Tensor};

/// What to time.
#[derive(Debug, Parser)]
struct Arguments {
    /// The GPU: gpu, or an adapter's number or name
    #[arg(long, default_value = "gpu")]
    device: DeviceChoice,
    /// Timed repetitions, of which the median counts; the reference runs once
    #[arg(long, default_value = "7")]
    rounds: std::num::NonZero<usize>,
    /// Only the cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    println!(
        "medians of {} rounds, least and most; the reference in one round that also reads weights",
        arguments.rounds
    );
    println!("{:36} {:36} {:>9} {:>21} {:>9} {:>8} {:>8}", "op", "device", "ms", "", "GFLOP/s", "GB/s", "error");
    for case in cases()?.iter().filter(|case| case.name.contains(&arguments.only)) {
        let start = Instant::now();
        let expected = ReferenceExecutor::new(case.network.clone()).run(case.input())?;
        case.print("plain f64 reference", Spread::of(vec![start.elapsed().as_secs_f64()]), Difference::default());
        for choice in [&DeviceChoice::Cpu, &arguments.device] {
            let mut profiler = device::select(choice)?.device.profiler(case.network.clone(), Some(1))?;
            let (seconds, difference) = case.check_and_time(profiler.as_mut(), &expected, arguments.rounds.get())?;
            case.print(&profiler.device(), seconds, difference);
        }
    }
    Ok(())
}

/// A network, often of a single op, and a sample for it.
struct Case {
    name: String,
    network: Network,
    pixels: Vec<u8>,
    values: Vec<f32>,
}

/// VGG16's ops, each shape once, then VGG16 through its second dense layer.
fn cases() -> Result<Vec<Case>> {
    let model = untrained::model(Architecture::vgg16(), 0);
    let network = model.network(Some(PreprocessMode::Caffe))?;
    let preprocess = Some(Preprocess::new(PreprocessMode::Caffe));
    let mut cases = vec![Case::new("preprocess", Network { input: network.input, preprocess, nodes: Vec::new() })];
    let key = |node: &Node| (node.op.name(), node.input, node.output);
    for (index, node) in network.nodes.iter().enumerate() {
        if network.nodes[..index].iter().all(|earlier| key(earlier) != key(node)) {
            let alone = Network { input: node.input, preprocess: None, nodes: vec![node.clone()] };
            cases.push(Case::new(node.op.name(), alone));
        }
    }
    let whole = model.truncate(&LayerChoice::Auto)?.network(Some(PreprocessMode::Caffe))?;
    cases.push(Case::new("VGG16", whole));
    Ok(cases)
}

impl Case {
    fn new(what: &str, network: Network) -> Case {
        let mut pixels = vec![0; network.input.len()];
        ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut pixels);
        let values = pixels.iter().map(|&byte| f32::from(byte) / 127.5 - 1.0).collect();
        let name = format!("{what} {} to {}", dims(network.input), dims(network.output()));
        Case { name, network, pixels, values }
    }

    fn input(&self) -> Input<'_> {
        match self.network.preprocess {
            Some(_) => Input::Pixels(&self.pixels),
            None => Input::Values(&self.values),
        }
    }

    /// A benchmark of wrong results is none.
    fn check_and_time(
        &self,
        profiler: &mut dyn Profiler,
        expected: &Tensor,
        rounds: usize,
    ) -> std::result::Result<(Spread, Difference), Box<dyn Error>> {
        let difference = Difference::between(expected, &profiler.run(self.input())?);
        if !difference.is_rounding() {
            return Err(format!("{} on {}: wrong results: {difference:?}", self.name, profiler.device()).into());
        }
        let clock = profiler.clock();
        let steps = time_steps(profiler, self.input(), clock, rounds)?;
        // Taking over values is no op.
        let is_op = |step: &ProfiledStep| !step.nodes.is_empty() || self.network.preprocess.is_some();
        let of_op: Vec<Spread> = steps.into_iter().filter(|(step, _)| is_op(step)).map(|(_, spread)| spread).collect();
        let sum = |part: fn(&Spread) -> f64| of_op.iter().map(part).sum();
        let seconds = Spread { median: sum(|step| step.median), min: sum(|step| step.min), max: sum(|step| step.max) };
        Ok((seconds, difference))
    }

    fn print(&self, device: &str, seconds: Spread, difference: Difference) {
        let cost = match &self.network.nodes[..] {
            [] => LayerCost::of_input(&self.network, 1),
            nodes => LayerCost::of(nodes, 1),
        };
        let ms = [seconds.median, seconds.min, seconds.max].map(|seconds| 1e3 * seconds);
        println!(
            "{:36} {device:36.36} {:9.3} {:>21} {:9.1} {:8.2} {:8.1e}",
            self.name,
            ms[0],
            format!("{:.3} to {:.3}", ms[1], ms[2]),
            cost.flops as f64 / seconds.median / 1e9,
            cost.bytes as f64 / seconds.median / 1e9,
            difference.relative(),
        );
    }
}

fn dims(shape: Shape) -> String {
    shape.dims().iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
