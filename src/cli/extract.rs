//! `vgg-wgpu extract`: the main job.

use std::fmt::{Display, Write as _};
use std::num::NonZero;
use std::path::Path;

use serde::Serialize;
use vgg_wgpu::extract::{Event, ExtractOptions, Extraction, extract};
use vgg_wgpu::images::{Dataset, dataset};
use vgg_wgpu::output::FeaturesWriter;
use vgg_wgpu::progress::{Progress, ProgressMode};
use vgg_wgpu::{Result, Shape};

use super::args::ExtractArgs;
use super::exit::Outcome;

/// The closing summary, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    images: usize,
    failed: Vec<FailedImage>,
    passed_over: usize,
    output: &'a Path,
    output_bytes: u64,
    layer: &'a str,
    shape: Vec<usize>,
    device: &'a str,
    seconds: f64,
    seconds_to_first_batch: f64,
    images_per_second: f64,
}

#[derive(Debug, Serialize)]
struct FailedImage {
    path: String,
    reason: String,
}

pub fn run(args: ExtractArgs) -> Result<Outcome> {
    // What can be refused cheaply is refused before the weights are read.
    let dataset = dataset::scan(&args.folder, args.key.into())?;
    let model = super::open_model(&args.model)?.truncate(&args.layer)?;
    let network = model.network(Some(args.images.preprocess.into()))?;
    let shape = array_shape(network.output());
    let writer = FeaturesWriter::create(&args.output, &shape, args.overwrite)?;

    let say = |line: String| {
        if !args.quiet {
            eprintln!("{line}");
        }
    };
    let layer = &model.architecture.output_layer().name;
    say(format!("model: {}, weights: {}", model.architecture.origin, model.weights_origin));
    say(format!("output: layer {layer}, {}", network.output()));
    say_dataset(&dataset, &args, say);
    let mut executor = super::executor(&args.device, network.clone(), say)?;

    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let mode = if args.quiet { ProgressMode::Quiet } else { ProgressMode::Auto };
    let progress = Progress::new(dataset.images.len() as u64, mode);
    let options = ExtractOptions { filter: args.images.resize.into(), threads, lenient: args.lenient };
    let extraction = extract(&dataset, &network, executor.as_mut(), writer, options, &mut |event| match event {
        Event::Written(count) => progress.advance(count as u64),
        Event::Failed(failure) => {
            let line = format!("failed: {}: {}", failure.path.display(), failure.error);
            // Quiet progress says nothing, and a lost image must not go unsaid.
            if args.quiet {
                eprintln!("{line}")
            } else {
                progress.println(&line)
            }
            progress.advance(1);
        }
    })?;
    progress.finish();

    let device = executor.device();
    let summary = summarise(&extraction, &dataset, &args.output, layer, shape, &device);
    say(summary.to_string());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary).expect("a summary is plain data"));
    }
    Ok(if summary.failed.is_empty() { Outcome::Complete } else { Outcome::SomeImagesFailed })
}

/// The shape of one image's array: Keras's `predict` of a single image has a leading batch dimension of 1.
fn array_shape(output: Shape) -> Vec<usize> {
    [vec![1], output.dims()].concat()
}

fn say_dataset(dataset: &Dataset, args: &ExtractArgs, say: impl Fn(String)) {
    let passed_over = passed_over(dataset);
    let mut line = format!("images: {} in {}", dataset.images.len(), args.folder.display());
    if passed_over > 0 {
        let hint = if args.verbose { "" } else { " (-v lists them)" };
        let _ = write!(line, ", {passed_over} other entries passed over{hint}");
    }
    say(line);
    for (path, reason) in &dataset.skipped {
        if reason.is_failure() {
            eprintln!("failed: {}: {reason}", path.display());
        } else if args.verbose {
            say(format!("passed over: {}: {reason}", path.display()));
        }
    }
}

/// Entries of the folder that are no images; those that are, and cannot be read, have failed.
fn passed_over(dataset: &Dataset) -> usize {
    dataset.skipped.iter().filter(|(_, reason)| !reason.is_failure()).count()
}

fn summarise<'a>(
    extraction: &Extraction,
    dataset: &Dataset,
    output: &'a Path,
    layer: &'a str,
    shape: Vec<usize>,
    device: &'a str,
) -> Summary<'a> {
    let failed = |path: &Path, reason: &dyn Display| FailedImage {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let unlisted = dataset.skipped.iter().filter(|(_, reason)| reason.is_failure());
    let unlisted = unlisted.map(|(path, reason)| failed(path, reason));
    let undecoded = extraction.failures.iter().map(|failure| failed(&failure.path, &failure.error));
    let seconds = extraction.elapsed.as_secs_f64();
    Summary {
        images: extraction.written,
        failed: unlisted.chain(undecoded).collect(),
        passed_over: passed_over(dataset),
        output,
        output_bytes: extraction.output_bytes,
        layer,
        shape,
        device,
        seconds,
        seconds_to_first_batch: extraction.first_batch.as_secs_f64(),
        images_per_second: extraction.written as f64 / seconds,
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { images, output_bytes, seconds, images_per_second, device, .. } = self;
        let (failed, output) = (self.failed.len(), self.output.display());
        writeln!(
            f,
            "done: {images} images, {failed} failed, in {seconds:.1} s: {images_per_second:.2} images/s on {device}"
        )?;
        write!(f, "wrote {output}: {output_bytes} bytes")
    }
}
