//! Photos a second of everything but the network: listing, decoding, resizing, batching and writing, with an executor that
//! answers at once. `cargo bench --bench pipeline`; `--help` lists the options.

use std::error::Error;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use vgg_wgpu::executor::batch_len;
use vgg_wgpu::extract::{ExtractOptions, extract};
use vgg_wgpu::images::decoder::{MAX_SECONDS, serve};
use vgg_wgpu::images::{Filter, KeyKind, scan};
use vgg_wgpu::keras::{Architecture, untrained};
use vgg_wgpu::ops::PreprocessMode;
use vgg_wgpu::output::{Identity, Journal, OutputFiles, finish};
use vgg_wgpu::{Executor, Input, LayerChoice, Network, Node, Result, Tensor};

/// What to time.
#[derive(Debug, Parser)]
struct Arguments {
    /// A folder of photos; by default the repository's, over and over
    folder: Option<PathBuf>,
    /// Timed repetitions, of which the median counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Decoding threads [default: one a core]
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Decode in processes, as the program does, and not in threads
    #[arg(long)]
    processes: bool,
    /// Be such a process
    #[arg(long, hide = true)]
    decode: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Features that cost nothing.
struct Instant {
    network: Network,
    n: usize,
}

impl Executor for Instant {
    fn device(&self) -> String {
        "none".into()
    }

    fn max_batch(&self) -> usize {
        8
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        self.n = batch_len(&self.network, input, self.max_batch());
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(Tensor::zeros(self.n, self.network.output()))
    }

    fn trace(&mut self, _: Input<'_>, _: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        unreachable!("nothing is traced")
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.decode {
        return Ok(serve(std::io::stdin().lock(), std::io::stdout().lock(), MAX_SECONDS)?);
    }
    let work = tempfile::tempdir()?;
    let folder = match arguments.folder {
        Some(folder) => folder,
        None => repeated_photos(work.path())?,
    };
    let threads = arguments.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let model = untrained::model(Architecture::vgg16(), 0).truncate(&LayerChoice::Auto)?;
    let network = model.network(Some(PreprocessMode::Caffe))?;
    let mut rates = Vec::new();
    for _ in 0..arguments.rounds {
        let start = std::time::Instant::now();
        let dataset = scan(&folder, KeyKind::Stem)?;
        let mut executor = Instant { network: network.clone(), n: 0 };
        let decoder = arguments.processes.then_some(decoder as fn() -> Command);
        let options = ExtractOptions { filter: Filter::Nearest, threads, lenient: false, max_failures: None, decoder };
        let files = OutputFiles::of(&work.path().join("features.pkl"));
        let identity = Identity::of(&model, PreprocessMode::Caffe, &options, KeyKind::Stem)?;
        let (mut journal, stop) = (Journal::open(&files, identity, &dataset, true)?, AtomicBool::new(false));
        let extraction = extract(&dataset, &network, &mut executor, &mut journal, options, &stop, &mut |_| {})?;
        finish(journal, &dataset, &extraction, &files, true, &stop)?;
        assert!(extraction.failures.is_empty(), "{:?}", extraction.failures);
        rates.push(extraction.computed as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let (median, last) = (rates[rates.len() / 2], rates.len() - 1);
    println!("{median:.0} photos/s on {threads} threads (median; {:.0} to {:.0})", rates[0], rates[last]);
    Ok(())
}

/// This program, as a process that decodes.
fn decoder() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program has a path"));
    command.arg("--decode");
    command
}

/// 200 names for the photos of this repository.
fn repeated_photos(work: &Path) -> std::io::Result<PathBuf> {
    let folder = work.join("photos");
    fs::create_dir(&folder)?;
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("photos");
    let photos: Vec<_> = fs::read_dir(photos)?.collect::<std::io::Result<_>>()?;
    for index in 0..200 {
        fs::copy(photos[index % photos.len()].path(), folder.join(format!("{index:04}.jpg")))?;
    }
    Ok(folder)
}
