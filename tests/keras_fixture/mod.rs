//! The models under `tests/fixtures/keras` and what Keras itself said and computed with them.
#![allow(dead_code)] // not every test uses all of it

pub mod compare;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vgg_wgpu::keras::{Architecture, Model};
use vgg_wgpu::{Shape, Tensor};

/// `MODEL.expected.json`.
#[derive(Debug, Deserialize)]
pub struct Expected {
    pub keras: String,
    pub backend: String,
    pub name: String,
    pub channels_first: bool,
    pub functional: bool,
    pub samples: usize,
    input: Vec<usize>,
    pub layers: Vec<ExpectedLayer>,
    pub params: usize,
    pub trainable: usize,
}

#[derive(Debug, Deserialize)]
pub struct ExpectedLayer {
    pub name: String,
    pub class: String,
    pub params: usize,
    shape: Vec<usize>,
}

impl ExpectedLayer {
    pub fn shape(&self) -> Shape {
        shape(&self.shape)
    }
}

impl Expected {
    pub fn input(&self) -> Shape {
        shape(&self.input)
    }
}

fn shape(dims: &[usize]) -> Shape {
    match *dims {
        [h, w, c] => Shape::Map { h, w, c },
        [len] => Shape::Vector(len),
        _ => panic!("unexpected shape {dims:?}"),
    }
}

/// One model of one Keras.
pub struct Fixture {
    /// `tests/fixtures/keras/GENERATION/MODEL`, without an extension.
    pub stem: PathBuf,
    pub expected: Expected,
}

impl Fixture {
    /// Every committed model.
    pub fn all() -> Vec<Fixture> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras");
        let mut fixtures = Vec::new();
        for generation in fs::read_dir(&root).unwrap() {
            for file in fs::read_dir(generation.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if let Some(stem) = path.to_str().unwrap().strip_suffix(".expected.json") {
                    let expected = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
                    fixtures.push(Fixture { stem: stem.into(), expected });
                }
            }
        }
        fixtures.sort_by(|a, b| a.stem.cmp(&b.stem));
        assert!(fixtures.len() > 20, "only {} fixtures found", fixtures.len());
        fixtures
    }

    /// The path of the model's file with this extension.
    pub fn path(&self, extension: &str) -> PathBuf {
        format!("{}.{extension}", self.stem.display()).into()
    }

    /// The model with the weights of each file that has them: its own architecture where the file has one, `MODEL.json`
    /// otherwise, and both for a file that has one.
    pub fn models(&self) -> Vec<(String, Model)> {
        let open = |model: Option<PathBuf>, weights: Option<PathBuf>| {
            let what = format!("{model:?} {weights:?}");
            let opened = Model::open(model.as_deref(), weights.as_deref());
            (what, opened.unwrap_or_else(|error| panic!("{error}")))
        };
        let mut models = Vec::new();
        for (extension, whole) in [("h5", false), ("weights.h5", false), ("model.h5", true), ("keras", true)] {
            let file = Some(self.path(extension)).filter(|path| path.exists());
            if file.is_some() {
                models.push(open(Some(self.path("json")), file.clone()));
                if whole {
                    models.push(open(file.clone(), None));
                    models.push(open(None, file));
                }
            }
        }
        models
    }

    pub fn json(&self) -> String {
        fs::read_to_string(self.path("json")).unwrap()
    }

    pub fn architecture(&self) -> Architecture {
        let origin = self.path("json").display().to_string();
        Architecture::from_json(&self.json(), &origin).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The input, then the output of every layer, as Keras computed them.
    pub fn tensors(&self) -> Vec<Tensor> {
        let bytes = fs::read(self.path("f32")).unwrap();
        let mut values = bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        let shapes =
            std::iter::once(self.expected.input()).chain(self.expected.layers.iter().map(ExpectedLayer::shape));
        let n = self.expected.samples;
        let tensors =
            shapes.map(|shape| Tensor::new(n, shape, values.by_ref().take(n * shape.len()).collect())).collect();
        assert_eq!(values.next(), None, "{}: values left over", self.stem.display());
        tensors
    }
}
