//! The commands, each in the file of its name.

pub mod args;
mod bench;
mod classify;
mod decode;
mod devices;
pub mod exit;
mod extract;
mod fetch;
mod init;
mod inspect;
mod interrupt;
mod plan;
mod summary;
mod tune;
mod verify;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::fallback::FallbackExecutor;
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::keras::{Architecture, Model, untrained};
use vgg_wgpu::{Error, Executor, Network, Result, device};

use args::{Command, DeviceArgs, ModelArgs};
use exit::Outcome;

/// Runs one command.
pub fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Extract(args) => extract::run(args),
        Command::Summary(args) => summary::run(args),
        Command::Init(args) => init::run(args),
        Command::Fetch(args) => fetch::run(args),
        Command::Classify(args) => classify::run(args),
        Command::Decode(args) => decode::run(args),
        Command::Devices => devices::run(),
        Command::Inspect(args) => inspect::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

/// Writes a line to standard error. Where that is closed, as by `| head`, nothing is lost but the line.
fn say_always(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes a line, or several, to standard output. Where its reader has gone, as `| head` goes, nobody wants the rest.
fn print_line(line: impl Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(problem) if problem.kind() != ErrorKind::BrokenPipe => Err(Error::io("write", "standard output")(problem)),
        _ => Ok(()),
    }
}

fn warn(line: &str) {
    say_always(&format!("warning: {line}"));
}

/// Opens the model that the arguments name.
fn open_model(args: &ModelArgs) -> Result<Model> {
    let model = args.model.as_deref();
    match args.weights.as_deref() {
        Some(weights) if weights == Path::new("untrained") => {
            let architecture = match model {
                Some(path) => Architecture::open(path)?,
                None => Architecture::vgg16(),
            };
            Ok(untrained::model(architecture, args.seed))
        }
        weights => Model::open(model, weights),
    }
}

/// Pixels of seeded noise, or whatever else takes bytes.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// Compiles `network` for the device that the arguments name, and returns a line that says which it is and why. A device that
/// fails later is told on standard error, however quiet the command is, and replaced.
fn executor(args: &DeviceArgs, network: Network, tune: TuneMode) -> Result<(Box<dyn Executor>, String)> {
    let device::Selected { device, reason } = device::select_for(&args.device, &network, tune, &mut warn)?;
    let batch = args.batch.map(Into::into);
    let device = device.tuned(&network, batch, tune, &mut warn)?;
    let executor = FallbackExecutor::open(device, network, batch, Box::new(warn))?;
    let line = format!("device: {} ({reason}); batches of {}", executor.device(), executor.max_batch());
    Ok((Box::new(executor), line))
}
