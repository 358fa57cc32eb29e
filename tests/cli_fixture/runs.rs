//! Runs of `extract` that are disturbed, and told to go on.

use std::fs;
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Fixture;

pub const MAGIC: &[u8] = b"vgg-wgpu journal 1\n";

/// Four convolutions: some milliseconds an image, so that 200 take longer than the second between two looks at the disk.
pub const SLOW_MODEL: &str = r#"{"class_name": "Sequential", "config": {"name": "slow", "layers": [
    {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [null, 96, 96, 3]}},
    {"class_name": "Conv2D", "config": {"name": "conv1", "filters": 24, "kernel_size": [3, 3], "strides": [1, 1],
        "padding": "same", "activation": "relu", "use_bias": true}},
    {"class_name": "Conv2D", "config": {"name": "conv2", "filters": 24, "kernel_size": [3, 3], "strides": [1, 1],
        "padding": "same", "activation": "relu", "use_bias": true}},
    {"class_name": "Conv2D", "config": {"name": "conv3", "filters": 24, "kernel_size": [3, 3], "strides": [1, 1],
        "padding": "same", "activation": "relu", "use_bias": true}},
    {"class_name": "Conv2D", "config": {"name": "conv4", "filters": 24, "kernel_size": [3, 3], "strides": [1, 1],
        "padding": "same", "activation": "relu", "use_bias": true}},
    {"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": [4, 4], "strides": [4, 4], "padding": "valid"}},
    {"class_name": "Flatten", "config": {"name": "flatten"}}]}}"#;

/// The command of every run here but for its options: `extract` of a folder with the slow model.
pub struct Runs {
    pub fixture: Fixture,
}

impl Runs {
    /// `count` different images `p000`, `p001` ...
    pub fn new(count: usize) -> Runs {
        let fixture = Fixture::new();
        fs::write(fixture.path("slow.json"), SLOW_MODEL).unwrap();
        fs::remove_dir_all(fixture.path("images")).unwrap();
        fs::create_dir(fixture.path("images")).unwrap();
        let runs = Runs { fixture };
        (0..count).for_each(|index| runs.write_image(&format!("p{index:03}.png"), index as u8));
        runs
    }

    pub fn write_image(&self, name: &str, tint: u8) {
        let image = image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([tint, 9 * x as u8, 7 * y as u8]));
        image.save(self.image(name)).unwrap();
    }

    pub fn image(&self, name: &str) -> PathBuf {
        self.path("images").join(name)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.fixture.path(name)
    }

    /// The slow model on the CPU in batches of 4, where `more` says nothing else.
    pub fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let defaults = [("--model", "slow.json"), ("--weights", "untrained"), ("--device", "cpu"), ("--batch", "4")];
        let defaults = defaults.into_iter().filter(|(option, _)| !more.contains(option));
        let fixed = ["extract", "images"].into_iter().chain(defaults.flat_map(|(option, value)| [option, value]));
        fixed.chain(more.iter().copied()).collect()
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vgg-wgpu"));
        command.current_dir(self.fixture.folder.path()).args(Runs::arguments(more)).stderr(Stdio::piped());
        // A hangup ends it as it does in a terminal, where the tests were started by `nohup`, too.
        #[cfg(unix)]
        // SAFETY: between fork and exec only this call is made, which is allowed there.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_DFL);
                Ok(())
            });
        }
        command
    }

    /// Runs to the end.
    pub fn run(&self, more: &[&str]) -> assert_cmd::assert::Assert {
        self.fixture.run(&Runs::arguments(more))
    }

    /// Starts a run and waits until so many bytes are in its journal.
    pub fn start(&self, more: &[&str], journal_bytes: u64) -> Child {
        let child = self.command(more).spawn().unwrap();
        let begun = Instant::now();
        while fs::metadata(self.journal()).map_or(0, |journal| journal.len()) < journal_bytes {
            assert!(begun.elapsed() < Duration::from_secs(60), "the run does not get going");
            std::thread::sleep(Duration::from_millis(2));
        }
        child
    }

    pub fn journal(&self) -> PathBuf {
        self.path("features.pkl.journal")
    }

    pub fn features(&self) -> Vec<u8> {
        fs::read(self.path("features.pkl")).unwrap()
    }

    /// The output of a run that nobody disturbs, which is not left there.
    pub fn undisturbed(&self) -> Vec<u8> {
        self.run(&[]).code(0);
        let features = self.features();
        self.remove_outputs();
        features
    }

    pub fn remove_outputs(&self) {
        for name in ["features.pkl", "features.provenance.jsonl", "features.failures.jsonl"] {
            let _ = fs::remove_file(self.path(name));
        }
    }

    /// A journal that holds every image, of a run that a broken last image ended.
    pub fn complete_journal(&self) -> Vec<u8> {
        fs::write(self.image("zzz.png"), "broken").unwrap();
        self.run(&["--strict"]).code(1);
        fs::remove_file(self.image("zzz.png")).unwrap();
        fs::read(self.journal()).unwrap()
    }

    /// The files of the folder, without those that every test has.
    pub fn files(&self) -> Vec<String> {
        let fixed = ["pixels.json", "slow.json", "images"];
        let names = fs::read_dir(self.fixture.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !fixed.contains(&name.as_str())).collect();
        names.sort();
        names
    }

    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// How many images a run computed, by its summary.
pub fn computed(assert: &assert_cmd::assert::Assert) -> u64 {
    let summary: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    summary["computed"].as_u64().unwrap()
}

pub fn whole_image_records(journal: &Path) -> usize {
    let bytes = fs::read(journal).unwrap_or_default();
    let mut at = MAGIC.len();
    let mut records = 0;
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        at += 8 + u32::from_le_bytes(*head) as usize;
        records += usize::from(at <= bytes.len());
    }
    records.saturating_sub(2)
}
