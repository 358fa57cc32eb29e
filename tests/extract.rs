//! The pipeline as a library: with an executor that stops, fails, or changes the folder just when a test needs it.

mod cli_fixture;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cli_fixture::{Fixture, read_features};
use vgg_wgpu::executor::batch_len;
use vgg_wgpu::extract::{Event, ExtractOptions, Extraction, extract};
use vgg_wgpu::images::{Dataset, Filter, KeyKind, scan};
use vgg_wgpu::keras::{Architecture, untrained};
use vgg_wgpu::ops::PreprocessMode;
use vgg_wgpu::output::{Digest, FailureKind, Identity, Journal, OutputFiles, finish};
use vgg_wgpu::{Error, Executor, Input, Model, Network, Node, Result, Tensor};

const BATCH: usize = 3;
const OPTIONS: ExtractOptions =
    ExtractOptions { filter: Filter::Nearest, threads: 2, lenient: false, max_failures: None, decoder: None };

/// Gives every value of an image's features its first pixel's red, and does something before each batch.
struct Scripted<'a> {
    network: Network,
    under_way: Vec<Tensor>,
    submitted: usize,
    before: &'a mut (dyn FnMut(usize) -> Result<()> + Send),
}

impl Executor for Scripted<'_> {
    fn device(&self) -> String {
        "a script".into()
    }

    fn max_batch(&self) -> usize {
        BATCH
    }

    fn depth(&self) -> usize {
        2
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        self.submitted += 1;
        (self.before)(self.submitted)?;
        let (n, shape) = (batch_len(&self.network, input, BATCH), self.network.output());
        let Input::Pixels(pixels) = input else { unreachable!("images are pixels") };
        let first_pixels = pixels.chunks(pixels.len() / n).map(|image| f32::from(image[0]));
        let data = first_pixels.flat_map(|value| vec![value; shape.len()]).collect();
        self.under_way.push(Tensor::new(n, shape, data));
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(self.under_way.remove(0))
    }

    fn trace(&mut self, _: Input<'_>, _: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        unreachable!("nothing is traced")
    }
}

/// A folder of 20 images and what a run of it needs.
struct Run {
    fixture: Fixture,
    model: Model,
    files: OutputFiles,
    stop: AtomicBool,
}

impl Run {
    fn new() -> Run {
        let fixture = Fixture::new();
        for index in 3..20u8 {
            let image = image::RgbImage::from_pixel(4, 4, image::Rgb([10 * index, 0, 0]));
            image.save(fixture.path(&format!("images/p{index:02}.png"))).unwrap();
        }
        let model = untrained::model(Architecture::open(&fixture.path("pixels.json")).unwrap(), 0);
        let files = OutputFiles::of(&fixture.path("features.pkl"));
        Run { fixture, model, files, stop: AtomicBool::new(false) }
    }

    fn dataset(&self) -> Dataset {
        scan(&self.fixture.path("images"), KeyKind::Stem).unwrap()
    }

    fn journal(&self, dataset: &Dataset) -> Journal {
        let identity = Identity::of(&self.model, PreprocessMode::None, &OPTIONS, KeyKind::Stem).unwrap();
        Journal::open(&self.files, identity, dataset, false).unwrap()
    }

    fn extract(
        &self,
        dataset: &Dataset,
        journal: &mut Journal,
        before: &mut (dyn FnMut(usize) -> Result<()> + Send),
    ) -> Result<Extraction> {
        let network = self.model.network(Some(PreprocessMode::None)).unwrap();
        let mut executor = Scripted { network: network.clone(), under_way: Vec::new(), submitted: 0, before };
        extract(dataset, &network, &mut executor, journal, OPTIONS, &self.stop, &mut |_: Event<'_>| {})
    }

    /// To the end, whatever was there before.
    fn complete(&self) -> Result<Digest> {
        self.stop.store(false, Ordering::Relaxed);
        let dataset = self.dataset();
        let mut journal = self.journal(&dataset);
        let extraction = self.extract(&dataset, &mut journal, &mut |_| Ok(()))?;
        finish(journal, &dataset, &extraction, &self.files, false, &self.stop)
    }
}

#[test]
fn told_to_stop_it_finishes_the_batches_under_way_and_no_more() {
    let undisturbed = Run::new().complete().unwrap();
    let run = Run::new();
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let stopped = run.extract(&dataset, &mut journal, &mut |batch| {
        run.stop.store(batch == 3, Ordering::Relaxed);
        Ok(())
    });
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    assert_eq!(journal.done(), 1 + 2 * BATCH, "one image, then whole batches");
    drop(journal);
    assert_eq!(run.journal(&dataset).pending(), Vec::from_iter(1 + 2 * BATCH..20));
    assert_eq!(run.complete().unwrap(), undisturbed);
}

#[test]
fn a_device_that_fails_costs_only_what_it_had_not_finished() {
    let undisturbed = Run::new().complete().unwrap();
    let run = Run::new();
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let failed = run.extract(&dataset, &mut journal, &mut |batch| {
        if batch == 5 { Err(Error::Device("the cable was pulled".into())) } else { Ok(()) }
    });
    assert!(matches!(failed, Err(Error::Device(_))), "{failed:?}");
    drop(journal);
    // Of four batches, the last was still under way.
    assert_eq!(run.journal(&dataset).done(), 1 + 2 * BATCH);
    assert_eq!(run.complete().unwrap(), undisturbed);
}

#[test]
fn time_is_counted_for_the_stage_that_takes_it() {
    let run = Run::new();
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let pause = Duration::from_millis(20);
    let extraction = run.extract(&dataset, &mut journal, &mut |_| {
        std::thread::sleep(pause);
        Ok(())
    });
    let Extraction { stages, elapsed, .. } = extraction.unwrap();
    // 20 images are seven batches of three.
    assert!(stages.computing >= 7 * pause, "{stages:?}");
    let computing_thread = stages.waiting + stages.computing + stages.writing;
    assert!(computing_thread <= elapsed, "{stages:?} in {elapsed:?}");
    let all = [stages.decoding, stages.waiting, stages.writing];
    assert!(all.iter().all(|stage| *stage > Duration::ZERO), "{stages:?}");
    assert!(stages.decoding <= elapsed * OPTIONS.threads as u32, "{stages:?} in {elapsed:?}");
}

#[test]
fn told_to_stop_while_the_output_is_written_it_leaves_the_journal() {
    let run = Run::new();
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let extraction = run.extract(&dataset, &mut journal, &mut |_| Ok(())).unwrap();
    run.stop.store(true, Ordering::Relaxed);
    let stopped = finish(journal, &dataset, &extraction, &run.files, false, &run.stop);
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    let names = fs::read_dir(run.fixture.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names = Vec::from_iter(names);
    names.sort();
    assert_eq!(names, ["features.pkl.journal", "images", "pixels.json"]);
    assert_eq!(run.journal(&dataset).done(), 20);
    run.complete().unwrap();
}

#[test]
fn an_output_that_appears_meanwhile_is_not_replaced_and_nothing_is_lost() {
    let run = Run::new();
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let extraction = run.extract(&dataset, &mut journal, &mut |_| Ok(())).unwrap();
    fs::write(&run.files.features, "theirs").unwrap();
    let refused = finish(journal, &dataset, &extraction, &run.files, false, &run.stop);
    assert!(matches!(refused, Err(Error::Usage(_))), "{refused:?}");
    assert_eq!(fs::read(&run.files.features).unwrap(), b"theirs");
    assert_eq!(run.journal(&dataset).done(), 20);
}

#[test]
fn an_image_that_vanishes_is_a_failure_and_one_that_changes_is_computed_again() {
    let run = Run::new();
    let image = |name: &str| run.fixture.path("images").join(name);
    let dataset = run.dataset();
    let mut journal = run.journal(&dataset);
    let extraction = run.extract(&dataset, &mut journal, &mut |batch| {
        if batch == 1 {
            fs::remove_file(image("p19.png")).unwrap();
        }
        if batch == 3 {
            fs::write(image("a.bmp"), fs::read(image("p11.png")).unwrap()).unwrap();
        }
        Ok(())
    });
    let [failure] = &extraction.unwrap().failures[..] else { panic!("one failure") };
    assert_eq!((&failure.path, failure.kind), (&image("p19.png"), FailureKind::Unreadable));
    drop(journal);
    assert_eq!(run.journal(&dataset).pending(), [0, 19], "a.bmp, and p19.png");
    run.complete().unwrap();
    assert_eq!(read_features(&run.files.features).len(), 19);
}
