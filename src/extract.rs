//! The main job: a folder's images through an executor into one output file.
//!
//! Three stages run at once, with bounded queues between them: workers decode and resize, the calling thread batches and
//! computes, and finished features are written while the next batch runs. Results keep the dataset's order whatever the
//! number of workers, because each image's slot enters the queue before a worker takes it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::executor::{Executor, Input};
use crate::images::{self, Dataset, Filter, ImageError, ImageFile};
use crate::output::FeaturesWriter;
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
}

/// What happens during a run, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// The features of so many images more were written.
    Written(usize),
    /// An image was left out.
    Failed(&'a Failure),
}

/// An image that could not be used.
#[derive(Debug)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// Why it was left out.
    pub error: ImageError,
}

/// What a run did.
#[derive(Debug)]
pub struct Extraction {
    /// Images whose features are in the output.
    pub written: usize,
    /// Images left out, in the dataset's order.
    pub failures: Vec<Failure>,
    /// The output's size.
    pub output_bytes: u64,
    /// From the first image asked for to the finished file.
    pub elapsed: Duration,
    /// From the start to the first batch's features.
    pub first_batch: Duration,
}

/// Runs every image of `dataset` through `executor`, which runs `network`, and writes their features, each of shape
/// `(1, ...)`, to `writer`. An image that cannot be read is left out and reported; where none can be read it is an error,
/// and no output is made.
pub fn extract(
    dataset: &Dataset,
    network: &Network,
    executor: &mut dyn Executor,
    writer: FeaturesWriter,
    options: ExtractOptions,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Extraction> {
    let size = network.image_size().ok_or_else(|| Error::Usage("this network takes values, not images".into()))?;
    let batch = executor.max_batch();
    // Decoded images that may wait: enough that a batch is ready while another computes.
    let waiting = batch + options.threads;
    thread::scope(|scope| {
        let (jobs, slots) = ordered_queue(scope, &dataset.images, waiting);
        for _ in 0..options.threads {
            let jobs = jobs.clone();
            scope.spawn(move || {
                for job in jobs {
                    // The receiver is gone only where the run has already failed.
                    let _ = job.slot.send(load_pixels_with(&job.image.path, size, options));
                }
            });
        }
        drop(jobs);
        Run::new(executor, writer, observe).all(dataset, slots, batch)
    })
}

/// One image as the network takes it: decoded, and resized to `[h, w]`.
pub fn load_pixels(path: &Path, [h, w]: [usize; 2], filter: Filter) -> Result<Vec<u8>, ImageError> {
    Ok(images::resize(&images::load(path)?, w, h, filter).pixels)
}

fn load_pixels_with(path: &Path, [h, w]: [usize; 2], options: ExtractOptions) -> Pixels {
    let image = if options.lenient { images::load_lenient(path)? } else { images::load(path)? };
    Ok(images::resize(&image, w, h, options.filter).pixels)
}

type Pixels = Result<Vec<u8>, ImageError>;

struct Job<'a> {
    image: &'a ImageFile,
    slot: Sender<Pixels>,
}

/// Hands out `images` as jobs, and the slots that will hold their results in the images' order; at most `waiting` slots
/// are open at a time.
fn ordered_queue<'scope, 'a: 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    images: &'a [ImageFile],
    waiting: usize,
) -> (Receiver<Job<'a>>, Receiver<Receiver<Pixels>>) {
    let (job_sender, jobs) = bounded(0);
    let (slot_sender, slots) = bounded(waiting);
    scope.spawn(move || {
        for image in images {
            let (slot, result) = bounded(1);
            if slot_sender.send(result).is_err() || job_sender.send(Job { image, slot }).is_err() {
                return;
            }
        }
    });
    (jobs, slots)
}

/// The computing stage.
struct Run<'a> {
    executor: &'a mut dyn Executor,
    writer: FeaturesWriter,
    observe: &'a mut dyn FnMut(Event<'_>),
    /// The images of each batch that is under way, oldest first.
    in_flight: std::collections::VecDeque<Vec<&'a ImageFile>>,
    written: usize,
    failures: Vec<Failure>,
    started: Instant,
    first_batch: Option<Duration>,
}

impl<'a> Run<'a> {
    fn new(executor: &'a mut dyn Executor, writer: FeaturesWriter, observe: &'a mut dyn FnMut(Event<'_>)) -> Run<'a> {
        Run {
            executor,
            writer,
            observe,
            in_flight: Default::default(),
            written: 0,
            failures: Vec::new(),
            started: Instant::now(),
            first_batch: None,
        }
    }

    fn all(mut self, dataset: &'a Dataset, slots: Receiver<Receiver<Pixels>>, batch: usize) -> Result<Extraction> {
        let mut images = Vec::new();
        let mut pixels = Vec::new();
        for (image, slot) in dataset.images.iter().zip(&slots) {
            match slot.recv().expect("a worker answers every job") {
                Ok(decoded) => {
                    images.push(image);
                    pixels.extend_from_slice(&decoded);
                }
                Err(error) => self.fail(image, error),
            }
            if images.len() == batch {
                self.submit(std::mem::take(&mut images), &pixels)?;
                pixels.clear();
            }
        }
        if !images.is_empty() {
            self.submit(images, &pixels)?;
        }
        while !self.in_flight.is_empty() {
            self.collect()?;
        }
        self.finish()
    }

    fn fail(&mut self, image: &ImageFile, error: ImageError) {
        let failure = Failure { path: image.path.clone(), error };
        (self.observe)(Event::Failed(&failure));
        self.failures.push(failure);
    }

    fn submit(&mut self, images: Vec<&'a ImageFile>, pixels: &[u8]) -> Result<()> {
        if self.in_flight.len() == self.executor.depth() {
            self.collect()?;
        }
        self.executor.submit(Input::Pixels(pixels))?;
        self.in_flight.push_back(images);
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        let features = self.executor.collect()?;
        self.first_batch.get_or_insert_with(|| self.started.elapsed());
        let images = self.in_flight.pop_front().expect("a batch is under way");
        for (index, image) in images.iter().enumerate() {
            self.writer.write(&image.key, features.sample(index))?;
        }
        self.written += images.len();
        (self.observe)(Event::Written(images.len()));
        Ok(())
    }

    fn finish(self) -> Result<Extraction> {
        let Some(first_batch) = self.first_batch else {
            let count = self.failures.len();
            return Err(Error::Usage(format!("none of the {count} images could be read, so there is no output")));
        };
        Ok(Extraction {
            written: self.written,
            failures: self.failures,
            output_bytes: self.writer.finish()?,
            elapsed: self.started.elapsed(),
            first_batch,
        })
    }
}
