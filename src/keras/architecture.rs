//! A chain of Keras layers with their shapes.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use super::layer::{self, Activation, Layer, LayerKind};
use crate::ops::{self, Padding};
use crate::{Error, Result, Shape};

/// A Sequential or linear functional model without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Keras's model name, such as `sequential_1` or `vgg16`.
    pub name: String,
    /// The file it came from, or where it was made: error messages begin with it.
    pub origin: String,
    /// The file it was read from, where it was read from one.
    pub file: Option<PathBuf>,
    /// The class, which decides whether `layers` lists the InputLayer (as Keras's `model.layers` does).
    pub class: ModelClass,
    /// The shape of one input sample, channels last.
    pub input: Shape,
    /// How the model's own Keras lays out maps. Here all are channels-last; but Keras 1 stores other kernels for `th`.
    pub data_format: DataFormat,
    /// As Keras's `model.layers`: an index into one is an index into the other.
    pub layers: Vec<Layer>,
}

/// Keras's model classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelClass {
    /// `Sequential`: the InputLayer is not among the layers.
    Sequential,
    /// `Model` or `Functional`: the InputLayer is the first layer.
    Functional,
}

/// Keras's `data_format`, in Keras 1 `dim_ordering`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Rows, columns, channels.
    #[default]
    #[serde(alias = "tf")]
    ChannelsLast,
    /// Channels, rows, columns.
    #[serde(alias = "th")]
    ChannelsFirst,
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataFormat::ChannelsLast => "channels_last",
            DataFormat::ChannelsFirst => "channels_first",
        })
    }
}

impl Architecture {
    /// Chains `layers` behind `input`, infers every shape, and checks that names are unique.
    pub fn new(
        name: impl Into<String>,
        origin: impl Into<String>,
        class: ModelClass,
        input: Shape,
        layers: impl IntoIterator<Item = (String, LayerKind)>,
    ) -> Result<Architecture> {
        let (name, origin, data_format) = (name.into(), origin.into(), DataFormat::default());
        let mut architecture = Architecture { name, origin, file: None, class, input, data_format, layers: Vec::new() };
        let mut names = HashSet::new();
        let mut shape = layer::check_size(input)
            .map_err(|problem| Error::model(&architecture.origin, format!("the model's input: {problem}")))?;
        for (name, kind) in layers {
            let fail = |problem| {
                let class = kind.class_name();
                Error::model(&architecture.origin, format!("layer {name} ({class}): {problem}"))
            };
            if !names.insert(name.clone()) {
                return Err(fail("an earlier layer has the same name".into()));
            }
            let output = kind.output_shape(shape).map_err(fail)?;
            kind.check_work(shape, output).map_err(fail)?;
            architecture.layers.push(Layer { name, kind, output, trainable: true });
            shape = output;
        }
        if architecture.layers.is_empty() {
            return Err(Error::model(&architecture.origin, "the model has no layers"));
        }
        Ok(architecture)
    }

    /// The input shape of layer `index`.
    pub fn input_of(&self, index: usize) -> Shape {
        index.checked_sub(1).map_or(self.input, |previous| self.layers[previous].output)
    }

    /// The last layer: what the model returns.
    pub fn output_layer(&self) -> &Layer {
        self.layers.last().expect("an architecture has layers")
    }

    /// The course's `generate_vgg16()`: VGG16 (Simonyan and Zisserman 2014, configuration D) as a Sequential model,
    /// 138,357,544 parameters.
    pub fn vgg16() -> Architecture {
        let relu = Activation::Elementwise(ops::Activation::Relu);
        let mut layers = Vec::new();
        let mut convolutions = 0..;
        let numbered = |base: &str, counter: usize| {
            if counter == 0 { base.to_owned() } else { format!("{base}_{counter}") }
        };
        for (block, (repeats, filters)) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)].into_iter().enumerate() {
            for index in convolutions.by_ref().take(repeats) {
                let kind = LayerKind::Conv2D {
                    filters,
                    kernel: [3, 3],
                    stride: [1, 1],
                    padding: Padding::Same,
                    use_bias: true,
                    activation: relu,
                };
                layers.push((numbered("conv2d", index), kind));
            }
            let kind = LayerKind::MaxPooling2D { pool: [2, 2], stride: [2, 2], padding: Padding::Valid };
            layers.push((numbered("max_pooling2d", block), kind));
        }
        layers.push(("flatten".to_owned(), LayerKind::Flatten { channels_first: false }));
        for (index, (units, activation)) in
            [(4096, relu), (4096, relu), (1000, Activation::Softmax)].into_iter().enumerate()
        {
            layers.push((numbered("dense", index), LayerKind::Dense { units, use_bias: true, activation }));
        }
        let input = Shape::Map { h: 224, w: 224, c: 3 };
        Architecture::new("sequential", "the built-in VGG16", ModelClass::Sequential, input, layers)
            .expect("VGG16 is a valid chain")
    }
}
