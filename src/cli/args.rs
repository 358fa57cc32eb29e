//! The command line as typed. What each argument means to the library is decided in the command that takes it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vgg_wgpu::device::DeviceChoice;
use vgg_wgpu::images::{Filter, KeyKind};
use vgg_wgpu::keras::LayerChoice;
use vgg_wgpu::ops::PreprocessMode;

/// Keras VGG16 features of a folder of images, on any GPU or on the CPU.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all good
  1  runtime or I/O error
  2  usage
  3  finished, but some images failed (the output is there); for inspect, the file has problems
  5  no usable adapter, or the device was lost
  6  model unsupported or malformed
  130  interrupted; what is computed is kept, and the same command goes on";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the features of a folder's images to features.pkl
    Extract(ExtractArgs),
    /// Print the model's layers, shapes and parameters as Keras does
    Summary(SummaryArgs),
    /// Write VGG16 as vgg16_exported.json and untrained vgg16_exported.h5
    Init(InitArgs),
    /// Download Keras's published VGG16 weights into Keras's cache folder
    Fetch(FetchArgs),
    /// Print the most probable classes of images
    Classify(ClassifyArgs),
    /// List the GPU adapters and say which device is taken by default
    Devices,
    /// Say what is in a features.pkl, ours or Python's, and what is wrong with it; nothing in it is executed
    Inspect(InspectArgs),
    /// Print what a GPU would be told to do, layer by layer, and the least time it could take
    Plan(PlanArgs),
    /// Measure which method is the fastest for each layer shape on a GPU, print all, and keep the choice
    Tune(TuneArgs),
    /// Compare the GPU shaders with the CPU, layer by layer
    Verify(VerifyArgs),
    /// Time the network and each layer on a device, after checking what it computes
    Bench(BenchArgs),
    /// Decode for extract, which starts it
    #[command(hide = true)]
    Decode(DecodeArgs),
}

#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Architecture (Keras JSON), or a whole model (.h5, .keras) [default: vgg16_exported.json]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Weights (.h5, .weights.h5, .keras), or the word 'untrained' for seeded random ones, whose features mean nothing
    /// [default: vgg16_exported.h5, then Keras's cache folder]
    #[arg(long, value_name = "FILE|untrained")]
    pub weights: Option<PathBuf>,
    /// The seed of untrained weights
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct LayerArgs {
    /// The layer whose output is wanted: auto (drop the final softmax Dense), a name, or an index (negative from the end)
    #[arg(long, value_name = "auto|NAME|N", default_value = "auto", allow_hyphen_values = true)]
    pub layer: LayerChoice,
}

#[derive(Debug, Args)]
pub struct ImageArgs {
    /// How pixels become the network's input
    #[arg(long, value_enum, default_value_t = Preprocess::Caffe)]
    pub preprocess: Preprocess,
    /// How images are resized to the network's input, each as Pillow does it
    #[arg(long, value_enum, default_value_t = Resize::Nearest)]
    pub resize: Resize,
}

#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// auto (a hardware GPU if there is one and the CPU is not measured to be much faster, otherwise the CPU), gpu, cpu, or an
    /// adapter's number or name
    #[arg(long, value_name = "auto|gpu|cpu|N|NAME", default_value = "auto")]
    pub device: DeviceChoice,
    /// Images in one batch: auto or a number
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = parse_batch)]
    pub batch: Batch,
}

#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The folder of images
    pub folder: PathBuf,
    /// The output
    #[arg(short, long, value_name = "FILE", default_value = "features.pkl")]
    pub output: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    pub overwrite: bool,
    /// Bring the output up to date if it exists: compute new and changed images only, and leave out removed ones
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,
    /// Throw away what an interrupted run has computed, instead of going on with it
    #[arg(long)]
    pub restart: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layer: LayerArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    /// The key of an image in the output
    #[arg(long, value_enum, default_value_t = Key::Stem)]
    pub key: Key,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// When a GPU is measured for the fastest methods, which takes a few seconds and is kept
    #[arg(long, value_enum, default_value_t = Tune::Auto)]
    pub tune: Tune,
    /// Processes that decode images [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZero<usize>>,
    /// Take truncated and damaged images as far as they go, as Pillow does with LOAD_TRUNCATED_IMAGES
    #[arg(long)]
    pub lenient: bool,
    /// End at the first image that fails
    #[arg(long)]
    pub strict: bool,
    /// End when more images fail than this [default: never]
    #[arg(long, value_name = "N", conflicts_with = "strict")]
    pub max_errors: Option<usize>,
    /// Only errors and failed images
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also list the entries of the folder that are passed over, and how busy each stage was
    #[arg(short, long)]
    pub verbose: bool,
    /// Print the closing summary to standard output, as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// End with this layer: auto (drop the final softmax Dense), a name, or an index [default: the whole model]
    #[arg(long, value_name = "auto|NAME|N", allow_hyphen_values = true)]
    pub layer: Option<LayerChoice>,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to write to
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// The seed of the weights
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Replace the files if they exist
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Where to download from; the file's MD5 is checked all the same
    #[arg(long, default_value = vgg_wgpu::keras::cache::VGG16_URL)]
    pub url: String,
    /// No progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// The images
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Class names: one a line, or Keras's imagenet_class_index.json
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The features file
    #[arg(default_value = "features.pkl")]
    pub file: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layer: LayerArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    /// The GPU: gpu, or an adapter's number or name
    #[arg(long, value_name = "gpu|N|NAME", default_value = "gpu")]
    pub device: DeviceChoice,
    /// Images in one batch: auto or a number
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = parse_batch)]
    pub batch: Batch,
    #[command(flatten)]
    pub peak: PeakArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("weights", |weights| weights.default_value("untrained").help(BENCH_WEIGHTS)))]
#[command(mut_arg("model", |model| model.help("Architecture (Keras JSON), or a whole model (.h5, .keras) [default: VGG16]")))]
pub struct BenchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layer: LayerArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub peak: PeakArgs,
    /// Timed batches; of these and of each layer's times the median counts
    #[arg(long, value_name = "N", default_value = "10")]
    pub rounds: std::num::NonZero<usize>,
    /// When a GPU is measured for the fastest methods, which takes a few seconds and is kept
    #[arg(long, value_enum, default_value_t = Tune::Auto)]
    pub tune: Tune,
    /// Time layers by waiting for each, even where the GPU has a clock of its own
    #[arg(long)]
    pub host_clock: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

const BENCH_WEIGHTS: &str =
    "Weights (.h5, .weights.h5, .keras), or the word 'untrained' for seeded random ones, which take the same time";

/// What a device's data sheet says.
#[derive(Debug, Args)]
pub struct PeakArgs {
    /// The device's f32 peak in TFLOP/s, of its data sheet
    #[arg(long, value_name = "N", value_parser = parse_peak)]
    pub peak_tflops: Option<f64>,
    /// The device's memory bandwidth in GB/s, of its data sheet
    #[arg(long, value_name = "N", value_parser = parse_peak)]
    pub peak_gb_per_s: Option<f64>,
}

#[derive(Debug, Args)]
pub struct TuneArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The GPU: gpu, or an adapter's number or name
    #[arg(long, value_name = "gpu|N|NAME", default_value = "gpu")]
    pub device: DeviceChoice,
    /// Images in one batch: auto or a number
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = parse_batch)]
    pub batch: Batch,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Images to compare on [default: four of seeded noise]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    /// The GPU: gpu, or an adapter's number or name
    #[arg(long, value_name = "gpu|N|NAME", default_value = "gpu")]
    pub device: DeviceChoice,
}

#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// The most seconds for one image
    #[arg(long, default_value_t = vgg_wgpu::images::decoder::MAX_SECONDS)]
    pub max_seconds: u64,
}

/// Images in one batch: `None` leaves it to the device.
pub type Batch = Option<std::num::NonZero<usize>>;

fn parse_batch(text: &str) -> Result<Batch, String> {
    match text {
        "auto" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| "neither 'auto' nor a number from 1".into()),
    }
}

fn parse_peak(text: &str) -> Result<f64, String> {
    let positive = |number: &f64| number.is_finite() && *number > 0.0;
    text.parse().ok().filter(positive).ok_or_else(|| "not a number above 0".into())
}

/// Declares a command-line mirror of a library enum, so that the library does not depend on clap.
macro_rules! value_enum {
    ($name:ident => $target:ty { $($(#[$attribute:meta])* $variant:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$attribute])* $variant),+ }

        impl From<$name> for $target {
            fn from(value: $name) -> $target {
                match value { $($name::$variant => <$target>::$variant),+ }
            }
        }
    };
}

value_enum!(Preprocess => PreprocessMode {
    /// RGB to BGR, minus 103.939, 116.779, 123.68: VGG16's
    Caffe,
    /// To -1 .. 1
    Tf,
    /// To 0 .. 1, then normalised with ImageNet's means and deviations
    Torch,
    /// RGB, 0 .. 255
    None,
});
/// When a GPU is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tune {
    /// Never; nor is what was measured before made use of
    Off,
    /// Once on a GPU and driver; by extract on its first run over at least 1000 images that takes more than 100 seconds
    Auto,
    /// Now, whatever was measured before
    Force,
}

value_enum!(Resize => Filter { Nearest, Bilinear, Bicubic, Lanczos });
value_enum!(Key => KeyKind {
    /// The file name without its last extension
    Stem,
    /// The file name
    Name,
    /// The path below the folder, sub-folders included
    #[value(name = "relpath")]
    RelPath,
});
