//! `vgg-wgpu extract`: the main job.

use std::fmt::{Display, Write as _};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use serde::Serialize;
use vgg_wgpu::extract::{Event, ExtractOptions, Extraction, StageTimes, extract};
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::images::{Dataset, dataset};
use vgg_wgpu::output::pickle::check_destination;
use vgg_wgpu::output::resume::take_finished;
use vgg_wgpu::output::{Digest, FailureKind, Identity, Journal, OutputFiles, Session, finish};
use vgg_wgpu::progress::{Progress, ProgressMode};
use vgg_wgpu::{Error, Executor, Model, Network, Result};

use super::args::{ExtractArgs, Tune};
use super::exit::Outcome;
use super::{interrupt, say_always};

/// The closing summary, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    images: usize,
    computed: usize,
    failed: Vec<FailedImage<'a>>,
    passed_over: usize,
    output: String,
    output_bytes: u64,
    output_blake3: String,
    layer: &'a str,
    shape: &'a [usize],
    device: String,
    seconds: f64,
    seconds_to_first_batch: Option<f64>,
    images_per_second: f64,
    stages: StageShares,
}

/// How much of the run's time each stage was busy: what holds it back is near 1.
#[derive(Debug, Serialize)]
struct StageShares {
    decoding_threads: usize,
    /// Of each decoding thread's time, on average. The others are of the computing thread's.
    decoding: f64,
    waiting_for_images: f64,
    computing: f64,
    writing: f64,
}

impl StageShares {
    fn new(extraction: &Extraction, threads: usize) -> StageShares {
        let StageTimes { decoding, waiting, computing, writing } = extraction.stages;
        let share = |stage: Duration| stage.as_secs_f64() / extraction.elapsed.as_secs_f64();
        StageShares {
            decoding_threads: threads,
            decoding: share(decoding) / threads as f64,
            waiting_for_images: share(waiting),
            computing: share(computing),
            writing: share(writing),
        }
    }
}

impl Display for StageShares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let StageShares { decoding_threads, .. } = self;
        let [decoding, waiting, computing, writing] =
            [self.decoding, self.waiting_for_images, self.computing, self.writing].map(|share| 100.0 * share);
        write!(f, "busy: {decoding_threads} decoding threads {decoding:.0}%; computing {computing:.0}%, ")?;
        write!(f, "writing {writing:.0}%, waiting for images {waiting:.0}%")
    }
}

#[derive(Debug, Serialize)]
struct FailedImage<'a> {
    path: String,
    kind: FailureKind,
    reason: &'a str,
}

pub fn run(args: ExtractArgs) -> Result<Outcome> {
    let stop = interrupt::watch("the batches under way are finished first");
    // What can be refused cheaply is refused before the weights are read.
    let dataset = dataset::scan(&args.folder, args.key.into())?;
    let model = super::open_model(&args.model)?.truncate(&args.layer.layer)?;
    let network = model.network(Some(args.images.preprocess.into()))?;
    let files = OutputFiles::of(&args.output);
    check_output(&files, &args)?;
    args.say(format!("model: {}, weights: {}", model.architecture.origin, model.weights_origin));
    args.say(format!("output: layer {}, {}", model.architecture.output_layer().name, network.output()));
    say_dataset(&dataset, &args);

    let options = options(&args);
    let work = Work { args: &args, dataset: &dataset, files: &files, network, options, stop };
    let (journal, extraction, device) = work.fill_journal(&model)?;
    let identity = journal.identity().clone();
    let output = work.finish(journal, &extraction)?;

    let summary = summarise(&work, &extraction, &identity, output, device);
    args.say(summary.to_string());
    if args.verbose {
        args.say(summary.stages.to_string());
    }
    if args.json {
        super::print_line(serde_json::to_string_pretty(&summary).expect("a summary is plain data"))?;
    }
    Ok(if summary.failed.is_empty() { Outcome::Complete } else { Outcome::SomeImagesFailed })
}

impl ExtractArgs {
    fn say(&self, line: String) {
        if !self.quiet {
            say_always(&line);
        }
    }

    fn command_that_goes_on(&self) -> &'static str {
        if self.restart { "the same command without --restart" } else { "the same command" }
    }

    /// Whether an output that exists may be replaced.
    fn may_replace(&self) -> bool {
        self.overwrite || self.resume
    }
}

fn options(args: &ExtractArgs) -> ExtractOptions {
    ExtractOptions {
        filter: args.images.resize.into(),
        threads: args.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get),
        lenient: args.lenient,
        max_failures: if args.strict { Some(0) } else { args.max_errors },
        decoder: Some(super::decode::command),
    }
}

/// Runs over fewer images end before measuring has paid: they use what was measured before.
const TUNED_FROM: usize = 1000;

fn tune_mode(asked: Tune, images: usize) -> TuneMode {
    match asked {
        Tune::Off => TuneMode::Off,
        Tune::Auto if images < TUNED_FROM => TuneMode::Cached,
        Tune::Auto => TuneMode::AutoFor(images),
        Tune::Force => TuneMode::Force,
    }
}

/// Refuses an output that is in the way. With a journal beside it that is not known yet: it may be the journal's own.
fn check_output(files: &OutputFiles, args: &ExtractArgs) -> Result<()> {
    files.check_namesake()?;
    for beside in [&files.provenance, &files.failures] {
        check_destination(beside, true)?;
    }
    let may_be_its_own = files.journal.exists() && !args.restart;
    check_destination(&files.features, args.may_replace() || may_be_its_own)?;
    files.check_temporary_names()
}

/// An executor, and what to say of it, when its weights are read.
type Opening<'scope> = ScopedJoinHandle<'scope, Result<(Box<dyn Executor>, String)>>;

/// What the steps of a run share.
struct Work<'a> {
    args: &'a ExtractArgs,
    dataset: &'a Dataset,
    files: &'a OutputFiles,
    network: Network,
    options: ExtractOptions,
    stop: &'a AtomicBool,
}

impl Work<'_> {
    /// Computes what the journal lacks, and returns the device that did it. Two threads read the weights side by side: one for
    /// their digest, without which nothing in a journal may be reused, the other to compute with them.
    fn fill_journal(&self, model: &Model) -> Result<(Journal, Extraction, String)> {
        thread::scope(|scope| {
            let tune = tune_mode(self.args.tune, self.dataset.images.len());
            let open = move || super::executor(&self.args.device, self.network.clone(), tune);
            let executor = thread::Builder::new()
                .spawn_scoped(scope, open)
                .map_err(|source| Error::Thread { purpose: "read the weights", source })?;
            let mut journal = self.open_journal(model)?;
            let computed = self.compute(&mut journal, executor).inspect_err(|_| self.say_kept(&journal));
            let (extraction, device) = computed?;
            Ok((journal, extraction, device))
        })
    }

    fn open_journal(&self, model: &Model) -> Result<Journal> {
        let args = self.args;
        let identity = Identity::of(model, args.images.preprocess.into(), &self.options, args.key.into())?;
        let journal = Journal::open(self.files, identity, self.dataset, args.restart)?;
        // Again, because a process that held the journal until now may have made the output.
        match check_destination(&self.files.features, args.may_replace() || journal.made_output()) {
            Err(Error::Usage(problem)) if journal.done() > 0 => {
                let path = journal.path().display();
                Err(Error::Usage(format!(
                    "{problem}. {path} holds what an interrupted run computed; with --overwrite and --resume it is made use of"
                )))
            }
            result => result.map(|()| journal),
        }
    }

    fn compute(&self, journal: &mut Journal, executor: Opening<'_>) -> Result<(Extraction, String)> {
        let args = self.args;
        let interrupted = journal.done();
        let finished = if args.resume { take_finished(journal, self.dataset, self.files, self.stop)? } else { 0 };
        self.say_reused(journal, interrupted, finished);
        let (mut executor, line) = executor.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        args.say(line);
        self.begin_session(journal, executor.as_ref());

        let mode = if args.quiet { ProgressMode::Quiet } else { ProgressMode::Auto };
        let lost = self.dataset.skipped.len() - passed_over(self.dataset);
        let progress = Progress::new((lost + journal.pending().len()) as u64, mode);
        let mut observe = |event: Event<'_>| match event {
            Event::Computed(count) => progress.advance(count as u64),
            Event::Failed(failure) => {
                let line = format!("failed: {failure}");
                // Quiet progress says nothing, and a lost image must not go unsaid.
                if args.quiet {
                    say_always(&line)
                } else {
                    progress.println(&line)
                }
                progress.advance(1);
            }
        };
        let executor = executor.as_mut();
        let extraction = extract(self.dataset, &self.network, executor, journal, self.options, self.stop, &mut observe);
        progress.finish();
        Ok((extraction?, executor.device()))
    }

    fn finish(&self, journal: Journal, extraction: &Extraction) -> Result<Digest> {
        let path = journal.path().to_owned();
        finish(journal, self.dataset, extraction, self.files, self.args.may_replace(), self.stop).inspect_err(|_| {
            let command = self.args.command_that_goes_on();
            say_always(&format!("all features are kept in {}: {command} computes none again", path.display()));
        })
    }

    fn say_kept(&self, journal: &Journal) {
        if journal.done() > 0 {
            let (done, total, path) = (journal.done(), self.dataset.images.len(), journal.path().display());
            let command = self.args.command_that_goes_on();
            say_always(&format!("{done} of {total} images are kept in {path}; {command} goes on with the rest"));
        }
    }

    fn say_reused(&self, journal: &Journal, interrupted: usize, finished: usize) {
        let (total, journal_path) = (self.dataset.images.len(), journal.path().display());
        if interrupted > 0 {
            self.args.say(format!("resuming: {interrupted} of {total} images are in {journal_path}"));
        }
        if journal.cut_bytes() > 0 {
            let bytes = journal.cut_bytes();
            self.args.say(format!("note: {bytes} bytes at the end of {journal_path} were not whole, and were cut off"));
        }
        if finished > 0 {
            let output = self.files.features.display();
            self.args.say(format!("resuming: {finished} of {total} images are in {output} and have not changed"));
        }
    }

    /// Notes who computes, and says where others have before: on another device features differ in their last bits.
    fn begin_session(&self, journal: &mut Journal, executor: &dyn Executor) {
        if journal.pending().is_empty() {
            return;
        }
        let now = Session::now(executor);
        if let Some(then) = journal.sessions().last() {
            let differs = (&then.device, &then.version, then.batch) != (&now.device, &now.version, now.batch);
            if differs {
                let Session { version, device, batch, .. } = then;
                self.args.say(format!(
                    "note: what there is was computed on {device}, in batches of {batch}, by version {version}"
                ));
            }
        }
        journal.begin_session(now);
    }
}

fn say_dataset(dataset: &Dataset, args: &ExtractArgs) {
    let passed_over = passed_over(dataset);
    let mut line = format!("images: {} in {}", dataset.images.len(), args.folder.display());
    if passed_over > 0 {
        let hint = if args.verbose { "" } else { " (-v lists them)" };
        let _ = write!(line, ", {passed_over} other entries passed over{hint}");
    }
    args.say(line);
    if args.verbose {
        for (path, reason) in dataset.skipped.iter().filter(|(_, reason)| !reason.is_failure()) {
            args.say(format!("passed over: {}: {reason}", path.display()));
        }
    }
}

/// Entries of the folder that are no images; those that are, and cannot be read, have failed.
fn passed_over(dataset: &Dataset) -> usize {
    dataset.skipped.iter().filter(|(_, reason)| !reason.is_failure()).count()
}

fn summarise<'a>(
    work: &Work<'a>,
    extraction: &'a Extraction,
    identity: &'a Identity,
    output: Digest,
    device: String,
) -> Summary<'a> {
    let failed = extraction.failures.iter().map(|failure| FailedImage {
        path: failure.path.display().to_string(),
        kind: failure.kind,
        reason: &failure.reason,
    });
    let seconds = extraction.elapsed.as_secs_f64();
    Summary {
        images: extraction.images,
        computed: extraction.computed,
        failed: failed.collect(),
        passed_over: passed_over(work.dataset),
        output: work.files.features.display().to_string(),
        output_bytes: output.bytes,
        output_blake3: output.blake3,
        layer: &identity.layer,
        shape: &identity.shape,
        device,
        seconds,
        seconds_to_first_batch: extraction.first_batch.map(|duration| duration.as_secs_f64()),
        images_per_second: extraction.computed as f64 / seconds,
        stages: StageShares::new(extraction, work.options.threads),
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { images, computed, output_bytes, seconds, images_per_second, device, .. } = self;
        let (failed, output) = (self.failed.len(), &self.output);
        let reused = if computed < images { format!(", {computed} of them computed now") } else { String::new() };
        writeln!(
            f,
            "done: {images} images{reused}, {failed} failed, in {seconds:.1} s: {images_per_second:.2} images/s on {device}"
        )?;
        write!(f, "wrote {output}: {output_bytes} bytes")
    }
}
