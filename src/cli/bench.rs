//! `vgg-wgpu bench`: how fast a device computes, as a whole and layer by layer, to be pasted into a report.

use std::fmt::Display;
use std::ops::Range;
use std::time::Instant;

use serde::Serialize;
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, Device};
use vgg_wgpu::difference::{Difference, ROUNDING};
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::ops::PreprocessMode;
use vgg_wgpu::profile::{Clock, ProfiledStep, Profiler, Spread, time_batches, time_steps};
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::roofline::LayerCost;
use vgg_wgpu::{Executor, Input, Model, Network, Result, Shape, Tensor};

use super::args::{BenchArgs, PeakArgs, Tune};
use super::exit::Outcome;
use super::{noise, say_always, warn};

pub fn run(args: BenchArgs) -> Result<Outcome> {
    let model = super::open_model(&args.model)?.truncate(&args.layer.layer)?;
    let takes_images = matches!(model.architecture.input, Shape::Map { c: 3, .. });
    let network = model.network(takes_images.then_some(PreprocessMode::Caffe))?;
    let tune = tune_mode(args.tune);
    let device::Selected { device, reason } = device::select_for(&args.device.device, &network, tune, &mut warn)?;
    let on_gpu = matches!(device, Device::Gpu(_));
    let batch = args.device.batch.map(Into::into);
    let device = device.tuned(&network, batch, tune, &mut warn)?;
    let mut profiler = device.profiler(network.clone(), batch)?;
    let batch = profiler.max_batch();
    say_always(&format!("device: {} ({reason}); batches of {batch}", profiler.device()));

    let samples = Samples::noise(&network, batch);
    say_always("checking what it computes, before anything is timed");
    let check = if on_gpu {
        check_with_cpu(profiler.as_mut(), &network, &samples)?
    } else {
        check_with_reference(profiler.as_mut(), &network, &samples)?
    };
    if !check.is_rounding {
        say_always(&format!("error: {check}: more than the {ROUNDING:.0e} that rounding explains. Nothing was timed"));
        return Ok(Outcome::CheckFailed);
    }
    let report = measure(&args, &model, &network, profiler.as_mut(), &samples, check)?;
    if args.json {
        super::print_line(serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        super::print_line(report.to_string().trim_end())?;
    }
    Ok(Outcome::Complete)
}

fn tune_mode(asked: Tune) -> TuneMode {
    match asked {
        Tune::Off => TuneMode::Off,
        Tune::Auto => TuneMode::Auto,
        Tune::Force => TuneMode::Force,
    }
}

/// A batch that owns its input.
enum Samples {
    Pixels(Vec<u8>),
    Values(Vec<f32>),
}

impl Samples {
    /// Seeded noise: pixels, or values from -1 to 1.
    fn noise(network: &Network, n: usize) -> Samples {
        let bytes = noise(0, n * network.input.len());
        match network.preprocess {
            Some(_) => Samples::Pixels(bytes),
            None => Samples::Values(bytes.into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0).collect()),
        }
    }

    fn all(&self) -> Input<'_> {
        match self {
            Samples::Pixels(pixels) => Input::Pixels(pixels),
            Samples::Values(values) => Input::Values(values),
        }
    }

    /// The last one, of so many values.
    fn last(&self, len: usize) -> Input<'_> {
        match self {
            Samples::Pixels(pixels) => Input::Pixels(&pixels[pixels.len() - len..]),
            Samples::Values(values) => Input::Values(&values[values.len() - len..]),
        }
    }
}

/// How the results were checked before anything was timed.
#[derive(Debug, Serialize)]
struct Check {
    against: &'static str,
    samples: usize,
    /// Of the largest value expected.
    relative_difference: f64,
    is_rounding: bool,
    seconds: f64,
}

impl Check {
    fn new(against: &'static str, expected: &Tensor, found: &Tensor, start: Instant) -> Check {
        let difference = Difference::between(expected, found);
        Check {
            against,
            samples: found.n,
            relative_difference: difference.relative(),
            is_rounding: difference.is_rounding(),
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Check { against, samples, relative_difference, seconds, .. } = self;
        let samples = if *samples == 1 { "1 sample".to_owned() } else { format!("{samples} samples") };
        write!(f, "{samples} against {against}, in {seconds:.1} s: ")?;
        write!(f, "the largest difference is {relative_difference:.1e} of the largest value")
    }
}

/// The whole batch, against the backend that shares no code with shaders.
fn check_with_cpu(gpu: &mut dyn Profiler, network: &Network, samples: &Samples) -> Result<Check> {
    let start = Instant::now();
    let expected = CpuExecutor::new(network.clone(), None, Some(gpu.max_batch()))?.run(samples.all())?;
    Ok(Check::new("the CPU backend", &expected, &gpu.run(samples.all())?, start))
}

/// The last sample of the batch, because the plain loops take seconds for each.
fn check_with_reference(cpu: &mut dyn Profiler, network: &Network, samples: &Samples) -> Result<Check> {
    let start = Instant::now();
    let expected = ReferenceExecutor::new(network.clone()).run(samples.last(network.input.len()))?;
    let found = cpu.run(samples.all())?;
    let last = Tensor::new(1, found.shape, found.sample(found.n - 1).to_vec());
    Ok(Check::new("the plain f64 reference", &expected, &last, start))
}

/// Everything that is printed, as `--json` has it.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    platform: String,
    /// A GPU's name, API and driver.
    device: String,
    model: String,
    weights: String,
    /// The layer that ends the network, and shapes of one sample.
    layer: String,
    input: Vec<usize>,
    output: Vec<usize>,
    batch: usize,
    rounds: usize,
    check: Check,
    clock: Clock,
    peak_tflops: Option<f64>,
    peak_gb_per_s: Option<f64>,
    layers: Vec<Layer>,
    /// The sum over the layers.
    layers_seconds: f64,
    /// Of a whole batch, from the end of one to the end of the next.
    batch_seconds: Spread,
    images_per_second: Spread,
    tflops: f64,
}

/// A layer, or several that are computed as one, for a batch.
#[derive(Debug, Serialize)]
struct Layer {
    layer: String,
    output: Vec<usize>,
    flops: u64,
    bytes: u64,
    /// On a GPU.
    shaders: Option<String>,
    seconds: Spread,
    tflops: f64,
    gb_per_s: f64,
    share_of_peak_tflops: Option<f64>,
    share_of_peak_gb_per_s: Option<f64>,
}

impl Layer {
    fn new(cost: LayerCost, shaders: Option<String>, seconds: Spread, peak: &PeakArgs) -> Layer {
        let tflops = cost.flops as f64 / seconds.median / 1e12;
        let gb_per_s = cost.bytes as f64 / seconds.median / 1e9;
        Layer {
            layer: cost.layer,
            output: cost.output.dims(),
            flops: cost.flops,
            bytes: cost.bytes,
            shaders,
            seconds,
            tflops,
            gb_per_s,
            share_of_peak_tflops: peak.peak_tflops.map(|peak| tflops / peak),
            share_of_peak_gb_per_s: peak.peak_gb_per_s.map(|peak| gb_per_s / peak),
        }
    }
}

fn measure(
    args: &BenchArgs,
    model: &Model,
    network: &Network,
    profiler: &mut dyn Profiler,
    samples: &Samples,
    check: Check,
) -> Result<Report> {
    let (batch, rounds) = (profiler.max_batch(), args.rounds.get());
    let clock = if args.host_clock { Clock::Host } else { profiler.clock() };
    let batch_seconds = time_batches(profiler, samples.all(), rounds)?;
    let cost = |nodes: Range<usize>| match &network.nodes[nodes] {
        [] => LayerCost::of_input(network, batch),
        nodes => LayerCost::of(nodes, batch),
    };
    let steps = time_steps(profiler, samples.all(), clock, rounds)?;
    let layers = steps.into_iter().map(|(step, seconds)| {
        let ProfiledStep { nodes, shaders } = step;
        Layer::new(cost(nodes), shaders, seconds, &args.peak)
    });
    let layers: Vec<Layer> = layers.collect();
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        device: profiler.device(),
        model: model.architecture.origin.clone(),
        weights: model.weights_origin.clone(),
        layer: model.architecture.output_layer().name.clone(),
        input: network.input.dims(),
        output: network.output().dims(),
        batch,
        rounds,
        check,
        clock,
        peak_tflops: args.peak.peak_tflops,
        peak_gb_per_s: args.peak.peak_gb_per_s,
        layers_seconds: layers.iter().map(|layer| layer.seconds.median).sum(),
        layers,
        batch_seconds,
        images_per_second: batch_seconds.rate_of(batch as f64),
        tflops: batch as f64 * network.flops() as f64 / batch_seconds.median / 1e12,
    })
}

impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = match self.clock {
            Clock::Gpu => "the GPU's timestamps",
            Clock::Host => "this computer's clock, waiting for each",
        };
        writeln!(f, "vgg-wgpu {}, {}", self.version, self.platform)?;
        writeln!(f, "device:   {}", self.device)?;
        writeln!(f, "model:    {} through {}; {}", self.model, self.layer, self.weights)?;
        writeln!(f, "checked:  {}", self.check)?;
        writeln!(f, "a batch is {} samples; layers are timed by {clock}", self.batch)?;
        writeln!(f, "figures are medians of {} rounds; FLOP are those of the direct algorithm\n", self.rounds)?;
        self.write_layers(f)?;
        let Spread { median, min, max } = self.batch_seconds;
        let [median, min, max] = [median, min, max].map(|seconds| 1e3 * seconds);
        writeln!(f, "\nall layers: {:.3} ms", 1e3 * self.layers_seconds)?;
        writeln!(f, "a batch:    {median:.3} ms ({min:.3} to {max:.3}), {:.3} TFLOP/s", self.tflops)?;
        let Spread { median, min, max } = self.images_per_second;
        writeln!(f, "images/s:   {median:.2} ({min:.2} to {max:.2})")
    }
}

impl Report {
    fn write_layers(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |layer: &Layer| layer.layer.chars().count();
        let width = self.layers.iter().map(name).max().unwrap_or(0).max(5);
        write!(f, "{:width$} {:>15} {:>10} {:>6} ", "layer", "output", "ms", "share")?;
        write!(f, "{:>9} {:>9}", "TFLOP/s", "GB/s")?;
        let peaks = [self.peak_tflops.map(|_| "of peak FLOP"), self.peak_gb_per_s.map(|_| "of peak GB")];
        for heading in peaks.into_iter().flatten() {
            write!(f, " {heading:>12}")?;
        }
        writeln!(f)?;
        for layer in &self.layers {
            let output: Vec<String> = layer.output.iter().map(usize::to_string).collect();
            let share = percent(layer.seconds.median / self.layers_seconds);
            write!(f, "{:width$} {:>15} ", layer.layer, output.join(" x "))?;
            write!(f, "{:>10.3} {share:>6} ", 1e3 * layer.seconds.median)?;
            write!(f, "{:>9.3} {:>9.1}", layer.tflops, layer.gb_per_s)?;
            for share in [layer.share_of_peak_tflops, layer.share_of_peak_gb_per_s].into_iter().flatten() {
                write!(f, " {:>12}", percent(share))?;
            }
            if let Some(shaders) = &layer.shaders {
                write!(f, "  {shaders}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
