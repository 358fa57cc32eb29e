//! An architecture together with its parameters, and its truncation.

use std::path::PathBuf;
use std::str::FromStr;

use super::architecture::Architecture;
use super::layer::{Activation, LayerKind};
use crate::network::lower;
use crate::ops::PreprocessMode;
use crate::{Error, Network, Parameter, Result};

/// A Keras model: layers and, for each, its parameters in Keras's order (kernel, bias; gamma, beta, mean, variance).
#[derive(Debug, Clone)]
pub struct Model {
    /// The layers and their shapes.
    pub architecture: Architecture,
    /// For each layer, the parameters that [`LayerKind::parameters`] names.
    pub parameters: Vec<Vec<Parameter>>,
    /// The file the weights came from, or how they were made.
    pub weights_origin: String,
    /// The file the weights are read from, where they are read from one.
    pub weights_file: Option<PathBuf>,
}

/// Which layer's output is wanted: the argument of `--layer`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayerChoice {
    /// The last layer, or the one before it where the last is the classifier: a Dense with softmax.
    #[default]
    Auto,
    /// A layer by its Keras name.
    Name(String),
    /// A layer by its place in Keras's `model.layers`; negative counts from the end.
    Index(i64),
}

impl FromStr for LayerChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<LayerChoice, Self::Err> {
        Ok(match text.parse() {
            Ok(index) => LayerChoice::Index(index),
            Err(_) if text == "auto" => LayerChoice::Auto,
            Err(_) => LayerChoice::Name(text.to_owned()),
        })
    }
}

impl Model {
    /// Joins layers with their parameters, whose names and shapes the weights reader has checked.
    pub fn new(
        architecture: Architecture,
        parameters: Vec<Vec<Parameter>>,
        weights_origin: impl Into<String>,
    ) -> Model {
        for (index, layer) in architecture.layers.iter().enumerate() {
            let expected = layer.kind.parameters(architecture.input_of(index));
            let shapes = parameters[index].iter().map(|parameter| &parameter.shape);
            assert!(shapes.eq(expected.iter().map(|(_, shape)| shape)), "{}: {expected:?}", layer.name);
        }
        Model { architecture, parameters, weights_origin: weights_origin.into(), weights_file: None }
    }

    /// The model that ends with the chosen layer. A name or index that does not exist is a usage error that lists those
    /// that do.
    pub fn truncate(&self, choice: &LayerChoice) -> Result<Model> {
        let last = self.resolve(choice)?;
        let mut truncated = self.clone();
        truncated.architecture.layers.truncate(last + 1);
        truncated.parameters.truncate(last + 1);
        Ok(truncated)
    }

    /// The ops of this model, taking pixels where `preprocess` is given and values otherwise.
    pub fn network(&self, preprocess: Option<PreprocessMode>) -> Result<Network> {
        lower(self, preprocess)
    }

    fn resolve(&self, choice: &LayerChoice) -> Result<usize> {
        let layers = &self.architecture.layers;
        let found = match choice {
            LayerChoice::Auto => Some(self.layers_without_classifier().max(1) - 1),
            LayerChoice::Name(name) => layers.iter().position(|layer| layer.name == *name),
            LayerChoice::Index(index) => {
                let from_start = if *index < 0 { index + layers.len() as i64 } else { *index };
                usize::try_from(from_start).ok().filter(|&index| index < layers.len())
            }
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
            let wanted = match choice {
                LayerChoice::Index(index) => format!("index {index}"),
                LayerChoice::Name(name) => format!("named {name}"),
                LayerChoice::Auto => unreachable!("auto always resolves"),
            };
            let (count, list) = (names.len(), names.join(", "));
            Error::Usage(format!("{} has no layer {wanted}; its {count} layers are: {list}", self.architecture.origin))
        })
    }

    fn layers_without_classifier(&self) -> usize {
        let layers = &self.architecture.layers;
        match layers.as_slice() {
            [.., last] if matches!(last.kind, LayerKind::Dense { activation: Activation::Softmax, .. }) => {
                layers.len() - 1
            }
            [.., dense, last]
                if matches!(dense.kind, LayerKind::Dense { .. })
                    && last.kind == LayerKind::Activation(Activation::Softmax) =>
            {
                layers.len() - 2
            }
            _ => layers.len(),
        }
    }
}
