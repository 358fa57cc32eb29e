//! A folder of images and a model, and the program run in it.
#![allow(dead_code)] // not every test uses all of it

pub mod runs;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A small model whose features are the pixels themselves: it needs no weights and computes in no time.
const PIXELS_MODEL: &str = r#"{"class_name": "Sequential", "config": {"name": "pixels", "layers": [
    {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [null, 4, 4, 3]}},
    {"class_name": "Flatten", "config": {"name": "flatten"}}]}}"#;

/// A folder with a model, and images whose keys are `a`, `b` and `c`.
pub struct Fixture {
    pub folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pixels.json"), PIXELS_MODEL).unwrap();
        let images = folder.path().join("images");
        fs::create_dir(&images).unwrap();
        for (index, name) in ["b.png", "a.bmp", "c.tiff"].iter().enumerate() {
            image::RgbImage::from_pixel(8, 6, image::Rgb([10 * index as u8, 100, 200]))
                .save(images.join(name))
                .unwrap();
        }
        Fixture { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn run(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        let mut command = Command::cargo_bin("vgg-wgpu").unwrap();
        // Caches that another run filled must not decide what a test sees.
        command.env("KERAS_HOME", self.path("keras")).env("XDG_CACHE_HOME", self.path("cache"));
        command.current_dir(self.folder.path()).args(arguments).assert()
    }

    /// `extract images` on the CPU with the small model, and `more`.
    pub fn extract(&self, more: &[&str]) -> assert_cmd::assert::Assert {
        let fixed = ["extract", "images", "--model", "pixels.json", "--weights", "untrained", "--device", "cpu"];
        self.run(&[&fixed, more].concat())
    }
}

/// The keys and first values of a features file, read by an implementation that is not ours.
pub fn read_features(path: &Path) -> Vec<String> {
    let value: serde_pickle::Value = serde_pickle::value_from_reader(
        fs::File::open(path).unwrap(),
        serde_pickle::DeOptions::new().replace_unresolved_globals().replace_recursive_structures(),
    )
    .unwrap();
    let serde_pickle::Value::Dict(entries) = value else { panic!("not a dict") };
    entries
        .into_keys()
        .map(|key| match key {
            serde_pickle::HashableValue::String(key) => key,
            other => panic!("a key that is no string: {other:?}"),
        })
        .collect()
}
