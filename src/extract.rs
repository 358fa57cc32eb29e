//! The main job: a folder's images through an executor into a journal, of which [`crate::output::finish`] makes the output.
//!
//! Three stages run at once, with bounded queues between them: workers decode and resize, in processes of their own
//! where there is a command for them, the calling thread batches and computes, and finished features are written while
//! the next batch runs. Images are taken in the dataset's order whatever the number of workers, because each image's
//! slot enters the queue before a worker takes it.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::executor::{Executor, Input};
use crate::images::decoder::{Decoder, Decoding};
use crate::images::{self, Dataset, Filter, ImageError, ImageFile, Stamp};
use crate::output::{Failure, Journal};
use crate::{Error, Network, Result};

/// How images become input.
#[derive(Debug, Clone, Copy)]
pub struct ExtractOptions {
    /// The filter that resizes images to the network's input.
    pub filter: Filter,
    /// Decoding threads, at least 1.
    pub threads: usize,
    /// Whether images are decoded as by [`images::decode_lenient`].
    pub lenient: bool,
    /// One failure more than this ends the run; without it none does.
    pub max_failures: Option<usize>,
    /// The command of a process that decodes, which runs [`images::decoder::serve`]: each thread starts one and gives it the
    /// bytes of its images, so that a decoder that crashes costs one image. Without it the threads decode themselves.
    pub decoder: Option<fn() -> Command>,
}

/// What happens during a run, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// The features of so many images more are in the journal.
    Computed(usize),
    /// An image was left out.
    Failed(&'a Failure),
}

/// What a run did.
#[derive(Debug)]
pub struct Extraction {
    /// Images whose features are in the journal.
    pub images: usize,
    /// Of these, the ones that were computed now.
    pub computed: usize,
    /// Images left out: those that could not be listed, then those that could not be read, in the dataset's order.
    pub failures: Vec<Failure>,
    /// From the first image asked for to the last features.
    pub elapsed: Duration,
    /// From the start to the first batch's features, those of one image, where there was a batch.
    pub first_batch: Option<Duration>,
    /// What that time was spent on.
    pub stages: StageTimes,
}

/// How long each stage of a run was busy, by the clock on the wall: where stages share cores, they lengthen each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Reading, decoding and resizing, of all threads together.
    pub decoding: Duration,
    /// The computing thread without an image to go on with. The others are that thread's too.
    pub waiting: Duration,
    /// In the executor: waiting for a GPU, or computing on the CPU.
    pub computing: Duration,
    /// Handing features to the journal.
    pub writing: Duration,
}

/// Runs every image of `dataset` whose features `journal` lacks through `executor`, which runs `network`, and writes their
/// features to the journal. An image that cannot be read is left out and reported.
///
/// Another thread may set `stop`: the batches under way are finished, and the call ends.
///
/// # Errors
/// [`Error::Stopped`] and [`Error::TooManyFailures`], [`Error::Usage`] where no image could be read, [`Error::Io`] where the
/// folder is gone ([`Dataset::check_disk`]), and [`Error::Thread`]; whatever fails, what is computed stays in the journal.
pub fn extract(
    dataset: &Dataset,
    network: &Network,
    executor: &mut dyn Executor,
    journal: &mut Journal,
    options: ExtractOptions,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Extraction> {
    let size = network.image_size().ok_or_else(|| Error::Usage("this network takes values, not images".into()))?;
    let pending = journal.pending();
    let decoding = Decoding { size, filter: options.filter, lenient: options.lenient };
    // Decoded images that may wait: enough that a batch is ready while another computes.
    let waiting = executor.max_batch().saturating_add(options.threads).min(pending.len());
    let decoding_time = AtomicU64::new(0);
    // Before the workers start: its clock counts their time.
    let run = Run::new(dataset, executor, journal, options, stop, observe);
    let mut result = thread::scope(|scope| {
        let refused = |source| Error::Thread { purpose: "decode images", source };
        let (jobs, slots) = ordered_queue(scope, dataset, &pending, waiting).map_err(refused)?;
        for _ in 0..options.threads {
            let jobs = jobs.clone();
            let decoding_time = &decoding_time;
            let decode = move || {
                let mut decoder = Decoder::new(decoding, options.decoder);
                for job in jobs {
                    let start = Instant::now();
                    let decoded = load_stamped(&job.image.path, &mut decoder);
                    // Half a thousand years fit.
                    decoding_time.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    // The receiver is gone only where the run has already ended.
                    let _ = job.slot.send(decoded);
                }
            };
            thread::Builder::new().spawn_scoped(scope, decode).map_err(refused)?;
        }
        drop(jobs);
        run.all(&pending, slots)
    });
    if let Ok(extraction) = &mut result {
        extraction.stages.decoding = Duration::from_nanos(decoding_time.into_inner());
    }
    // What was asked to stop is about to end, perhaps with the machine. Otherwise the journal is synced as it goes.
    if let Err(Error::Stopped) = result {
        journal.sync()?;
    }
    result
}

/// One image as the network takes it: decoded, and resized to `[h, w]`.
pub fn load_pixels(path: &Path, [h, w]: [usize; 2], filter: Filter) -> Result<Vec<u8>, ImageError> {
    Ok(images::resize(&images::load(path)?, w, h, filter).pixels)
}

/// Pixels, and the stamp that the file had before: one that changes while it is read is read again by the next run.
fn load_stamped(path: &Path, decoder: &mut Decoder) -> Decoded {
    let stamp = Stamp::of(path)?;
    Ok((stamp, decoder.pixels(&images::read(path)?)?))
}

type Decoded = Result<(Stamp, Vec<u8>), ImageError>;

struct Job<'a> {
    image: &'a ImageFile,
    slot: Sender<Decoded>,
}

/// Hands out the images at `positions` as jobs, and the slots that will hold their results in the same order; at most
/// `waiting` slots are open at a time.
fn ordered_queue<'scope, 'a: 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    dataset: &'a Dataset,
    positions: &'a [usize],
    waiting: usize,
) -> io::Result<(Receiver<Job<'a>>, Receiver<Receiver<Decoded>>)> {
    let (job_sender, jobs) = bounded(0);
    let (slot_sender, slots) = bounded(waiting);
    let hand_out = move || {
        for &position in positions {
            let (slot, result) = bounded(1);
            let image = &dataset.images[position];
            if slot_sender.send(result).is_err() || job_sender.send(Job { image, slot }).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().spawn_scoped(scope, hand_out)?;
    Ok((jobs, slots))
}

/// An image of a batch: its place in the dataset, and the version of its file.
type Sample = (usize, Stamp);

/// The computing stage.
struct Run<'a> {
    dataset: &'a Dataset,
    executor: &'a mut dyn Executor,
    journal: &'a mut Journal,
    options: ExtractOptions,
    stop: &'a AtomicBool,
    observe: &'a mut dyn FnMut(Event<'_>),
    /// The images of each batch that is under way, oldest first.
    in_flight: VecDeque<Vec<Sample>>,
    computed: usize,
    failures: Vec<Failure>,
    started: Instant,
    first_batch: Option<Duration>,
    stages: StageTimes,
}

impl<'a> Run<'a> {
    fn new(
        dataset: &'a Dataset,
        executor: &'a mut dyn Executor,
        journal: &'a mut Journal,
        options: ExtractOptions,
        stop: &'a AtomicBool,
        observe: &'a mut dyn FnMut(Event<'_>),
    ) -> Run<'a> {
        Run {
            dataset,
            executor,
            journal,
            options,
            stop,
            observe,
            in_flight: VecDeque::new(),
            computed: 0,
            failures: Vec::new(),
            started: Instant::now(),
            first_batch: None,
            stages: StageTimes::default(),
        }
    }

    fn all(mut self, pending: &[usize], slots: Receiver<Receiver<Decoded>>) -> Result<Extraction> {
        for (path, reason) in &self.dataset.skipped {
            if let Some(failure) = Failure::of_entry(path, reason) {
                self.fail(failure);
            }
        }
        self.feed(pending, slots)?;
        while !self.in_flight.is_empty() {
            self.collect()?;
        }
        self.verdict()
    }

    /// Submits one batch after another, until there are no more images or the run is to end early.
    fn feed(&mut self, pending: &[usize], slots: Receiver<Receiver<Decoded>>) -> Result<()> {
        let mut batch = Vec::new();
        let mut pixels = Vec::new();
        for (index, &position) in pending.iter().enumerate() {
            if self.stop.load(Ordering::Relaxed) || self.has_failed() {
                return Ok(());
            }
            let start = Instant::now();
            let decoded = slots.recv().and_then(|slot| slot.recv()).expect("a worker answers every job");
            self.stages.waiting += start.elapsed();
            match decoded {
                Ok((stamp, decoded)) => {
                    batch.push((position, stamp));
                    pixels.extend_from_slice(&decoded);
                }
                Err(error) => {
                    if let ImageError::Io(_) = error {
                        let gone = Error::io("read the folder of images", &self.dataset.folder);
                        self.dataset.check_disk(&pending[index + 1..]).map_err(gone)?;
                    }
                    self.fail(Failure::new(&self.dataset.images[position].path, &error));
                }
            }
            if batch.len() == self.next_batch() {
                self.submit(std::mem::take(&mut batch), &pixels)?;
                pixels.clear();
            }
        }
        if batch.is_empty() { Ok(()) } else { self.submit(batch, &pixels) }
    }

    /// The size of the next batch. The first is one image: its features show after a fraction of a batch's time that all is
    /// well, and features do not depend on the batch.
    fn next_batch(&self) -> usize {
        let is_first = self.computed == 0 && self.in_flight.is_empty();
        if is_first { 1 } else { self.executor.max_batch() }
    }

    fn fail(&mut self, failure: Failure) {
        (self.observe)(Event::Failed(&failure));
        self.failures.push(failure);
    }

    fn has_failed(&self) -> bool {
        self.options.max_failures.is_some_and(|allowed| self.failures.len() > allowed)
    }

    fn submit(&mut self, batch: Vec<Sample>, pixels: &[u8]) -> Result<()> {
        if self.in_flight.len() == self.executor.depth() {
            self.collect()?;
        }
        let start = Instant::now();
        self.executor.submit(Input::Pixels(pixels))?;
        self.stages.computing += start.elapsed();
        self.in_flight.push_back(batch);
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        let start = Instant::now();
        let features = self.executor.collect()?;
        self.stages.computing += start.elapsed();
        self.first_batch.get_or_insert_with(|| self.started.elapsed());
        let batch = self.in_flight.pop_front().expect("a batch is under way");
        let start = Instant::now();
        for (index, &(position, stamp)) in batch.iter().enumerate() {
            self.journal.append(self.dataset, position, stamp, features.sample(index))?;
        }
        self.stages.writing += start.elapsed();
        self.computed += batch.len();
        (self.observe)(Event::Computed(batch.len()));
        Ok(())
    }

    fn verdict(self) -> Result<Extraction> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let failed = self.failures.len();
        if let (true, Some(allowed), Some(last)) = (self.has_failed(), self.options.max_failures, self.failures.last())
        {
            return Err(Error::TooManyFailures { failed, allowed, last: last.to_string() });
        }
        if self.journal.done() == 0 {
            return Err(Error::Usage(format!("none of the {failed} images could be read, so there is no output")));
        }
        Ok(Extraction {
            images: self.journal.done(),
            computed: self.computed,
            failures: self.failures,
            elapsed: self.started.elapsed(),
            first_batch: self.first_batch,
            stages: self.stages,
        })
    }
}
