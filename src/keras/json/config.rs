//! A layer's `config`: from the words of every Keras generation to a [`LayerKind`].

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::keras::architecture::DataFormat;
use crate::keras::layer::{Activation, LayerKind};
use crate::ops::{self, Padding};

type Reader = fn(&Value) -> Result<LayerKind, String>;

/// Every class that can be read: the one place where a class name decides anything.
const READERS: [(&str, Reader); 15] = [
    ("InputLayer", |_| Ok(LayerKind::InputLayer)),
    ("Conv2D", conv2d),
    ("Convolution2D", conv2d), // Keras 1
    ("MaxPooling2D", |config| {
        pool2d(config).map(|(pool, stride, padding)| LayerKind::MaxPooling2D { pool, stride, padding })
    }),
    ("AveragePooling2D", |config| {
        pool2d(config).map(|(pool, stride, padding)| LayerKind::AveragePooling2D { pool, stride, padding })
    }),
    ("GlobalMaxPooling2D", |config| Ok(LayerKind::GlobalMaxPooling2D { keepdims: keepdims(config)? })),
    ("GlobalAveragePooling2D", |config| Ok(LayerKind::GlobalAveragePooling2D { keepdims: keepdims(config)? })),
    ("ZeroPadding2D", zero_padding2d),
    ("Flatten", |_| Ok(LayerKind::Flatten { channels_first: false })), // decided with the whole model
    ("Dense", dense),
    ("Dropout", |_| Ok(LayerKind::Dropout)),
    ("BatchNormalization", batch_normalization),
    ("BatchNormalizationV1", batch_normalization), // tf.keras 1.13 to 1.15
    ("BatchNormalizationV2", batch_normalization),
    ("Activation", |config| Ok(LayerKind::Activation(typed::<ActivationConfig>(config)?.activation.into()))),
];

/// Reads the config of a layer of class `class_name`.
pub(super) fn read_kind(class_name: &str, config: &Value) -> Result<LayerKind, String> {
    match READERS.iter().find(|(name, _)| *name == class_name) {
        Some((_, read)) => read(config),
        None if ["Sequential", "Functional", "Model"].contains(&class_name) => {
            Err("a model within the model is not supported: rebuild it in Keras as one chain of layers".into())
        }
        None => {
            let supported: Vec<&str> = READERS.iter().map(|(name, _)| *name).collect();
            Err(format!("this class is not supported; those that are: {}", supported.join(", ")))
        }
    }
}

/// What a config says beside what its layer computes.
#[derive(Deserialize)]
pub(super) struct Common {
    pub trainable: Option<bool>,
    #[serde(alias = "dim_ordering")]
    pub data_format: Option<DataFormat>,
    /// With the batch size first; Keras 3's name is `batch_shape`.
    #[serde(alias = "batch_shape")]
    pub batch_input_shape: Option<Dims>,
    /// BatchNormalization's.
    pub axis: Option<Axis>,
    dtype: Option<Dtype>,
}

impl Common {
    pub fn read(config: &Value) -> Result<Common, String> {
        let common: Common = typed(config)?;
        match &common.dtype {
            // Whatever it was trained or run in, it is stored in one of these and computed here in float32.
            Some(Dtype::Name(name) | Dtype::Policy { config: PolicyConfig { name } })
                if !FLOATING.contains(&name.as_str()) =>
            {
                Err(format!("its dtype is {name}; only floating-point layers are supported"))
            }
            _ => Ok(common),
        }
    }
}

const FLOATING: [&str; 6] = ["float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"];

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "its dtype is neither a name nor a policy with one; only floating-point layers are supported"
)]
enum Dtype {
    Name(String),
    Policy { config: PolicyConfig },
}

#[derive(Deserialize)]
struct PolicyConfig {
    name: String,
}

/// An axis, which tf.keras 2.x writes as a list of one.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged, expecting = "an axis is not one number")]
enum OneAxis {
    Plain(i64),
    Listed([i64; 1]),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(from = "OneAxis")]
pub(super) struct Axis(pub i64);

impl From<OneAxis> for Axis {
    fn from(axis: OneAxis) -> Axis {
        match axis {
            OneAxis::Plain(axis) | OneAxis::Listed([axis]) => Axis(axis),
        }
    }
}

/// A shape, its batch size first; tf.keras 2.x wraps some in an object with `items`.
#[derive(Deserialize, Clone)]
#[serde(untagged, expecting = "a shape is no list of sizes and nulls")]
pub(super) enum Dims {
    Plain(Vec<Option<usize>>),
    Wrapped { items: Vec<Option<usize>> },
}

impl Dims {
    /// The sizes without the batch's.
    pub fn sample(&self) -> &[Option<usize>] {
        let (Dims::Plain(sizes) | Dims::Wrapped { items: sizes }) = self;
        sizes.get(1..).unwrap_or(&[])
    }
}

impl fmt::Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Option<usize>| size.map_or("None".to_owned(), |size| size.to_string());
        write!(f, "(None, {})", self.sample().iter().map(size).collect::<Vec<_>>().join(", "))
    }
}

/// `[vertical, horizontal]`, or one number for both.
#[derive(Deserialize, Clone, Copy)]
#[serde(from = "OneOrTwo")]
struct Pair([usize; 2]);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a size is neither a number nor a pair of numbers")]
enum OneOrTwo {
    One(usize),
    Two([usize; 2]),
}

impl From<OneOrTwo> for Pair {
    fn from(sizes: OneOrTwo) -> Pair {
        match sizes {
            OneOrTwo::One(size) => Pair([size, size]),
            OneOrTwo::Two(sizes) => Pair(sizes),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PaddingConfig {
    Valid,
    Same,
}

impl From<PaddingConfig> for Padding {
    fn from(padding: PaddingConfig) -> Padding {
        match padding {
            PaddingConfig::Valid => Padding::Valid,
            PaddingConfig::Same => Padding::Same,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActivationName {
    Linear,
    Relu,
    Sigmoid,
    Tanh,
    Softmax,
}

/// `activation=None` is linear.
impl From<Option<ActivationName>> for Activation {
    fn from(name: Option<ActivationName>) -> Activation {
        Activation::Elementwise(match name {
            None | Some(ActivationName::Linear) => ops::Activation::Linear,
            Some(ActivationName::Relu) => ops::Activation::Relu,
            Some(ActivationName::Sigmoid) => ops::Activation::Sigmoid,
            Some(ActivationName::Tanh) => ops::Activation::Tanh,
            Some(ActivationName::Softmax) => return Activation::Softmax,
        })
    }
}

#[derive(Deserialize)]
struct ActivationConfig {
    activation: Option<ActivationName>,
}

/// The names after `alias` are Keras 1's. Before 1.0.3 neither this nor Dense has a `bias`: there always is one.
#[derive(Deserialize)]
struct Conv2DConfig {
    #[serde(alias = "nb_filter")]
    filters: usize,
    kernel_size: Option<Pair>,
    nb_row: Option<usize>,
    nb_col: Option<usize>,
    #[serde(alias = "subsample")]
    strides: Pair,
    #[serde(alias = "border_mode")]
    padding: PaddingConfig,
    dilation_rate: Option<Pair>,
    groups: Option<usize>,
    #[serde(alias = "bias")]
    use_bias: Option<bool>,
    activation: Option<ActivationName>,
}

fn conv2d(config: &Value) -> Result<LayerKind, String> {
    let config: Conv2DConfig = typed(config)?;
    if let Some(Pair(rate)) = config.dilation_rate.filter(|rate| rate.0 != [1, 1]) {
        return Err(format!("dilation_rate is {rate:?}; only 1 is supported"));
    }
    if let Some(groups) = config.groups.filter(|&groups| groups != 1) {
        return Err(format!("groups is {groups}; only 1 is supported"));
    }
    let old_kernel = config.nb_row.zip(config.nb_col).map(|(rows, columns)| Pair([rows, columns]));
    let Pair(kernel) = config.kernel_size.or(old_kernel).ok_or("its config has no kernel_size")?;
    Ok(LayerKind::Conv2D {
        filters: config.filters,
        kernel,
        stride: config.strides.0,
        padding: config.padding.into(),
        use_bias: config.use_bias.unwrap_or(true),
        activation: config.activation.into(),
    })
}

#[derive(Deserialize)]
struct Pool2DConfig {
    pool_size: Pair,
    strides: Option<Pair>,
    #[serde(alias = "border_mode")]
    padding: PaddingConfig,
}

fn pool2d(config: &Value) -> Result<([usize; 2], [usize; 2], Padding), String> {
    let config: Pool2DConfig = typed(config)?;
    Ok((config.pool_size.0, config.strides.unwrap_or(config.pool_size).0, config.padding.into()))
}

#[derive(Deserialize)]
struct GlobalPool2DConfig {
    keepdims: Option<bool>,
}

fn keepdims(config: &Value) -> Result<bool, String> {
    Ok(typed::<GlobalPool2DConfig>(config)?.keepdims.unwrap_or(false))
}

#[derive(Deserialize)]
struct ZeroPadding2DConfig {
    padding: Border,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "its padding is none of p, [rows, columns], [[top, bottom], [left, right]]"
)]
enum Border {
    All(usize),
    Symmetric([usize; 2]),
    Sides([[usize; 2]; 2]),
    /// Keras 1: top, bottom, left, right.
    Listed([usize; 4]),
    /// Keras 1, too; 0 where a side is not named.
    Named {
        #[serde(default)]
        top_pad: usize,
        #[serde(default)]
        bottom_pad: usize,
        #[serde(default)]
        left_pad: usize,
        #[serde(default)]
        right_pad: usize,
    },
}

fn zero_padding2d(config: &Value) -> Result<LayerKind, String> {
    let padding = match typed::<ZeroPadding2DConfig>(config)?.padding {
        Border::All(all) => [[all; 2]; 2],
        Border::Symmetric([rows, columns]) => [[rows; 2], [columns; 2]],
        Border::Sides(sides) => sides,
        Border::Listed([top, bottom, left, right])
        | Border::Named { top_pad: top, bottom_pad: bottom, left_pad: left, right_pad: right } => {
            [[top, bottom], [left, right]]
        }
    };
    Ok(LayerKind::ZeroPadding2D { padding })
}

#[derive(Deserialize)]
struct DenseConfig {
    #[serde(alias = "output_dim")]
    units: usize,
    #[serde(alias = "bias")]
    use_bias: Option<bool>,
    activation: Option<ActivationName>,
}

fn dense(config: &Value) -> Result<LayerKind, String> {
    let DenseConfig { units, use_bias, activation } = typed(config)?;
    Ok(LayerKind::Dense { units, use_bias: use_bias.unwrap_or(true), activation: activation.into() })
}

/// Keras 1 has neither `center` nor `scale`: both are always there.
#[derive(Deserialize)]
struct BatchNormalizationConfig {
    epsilon: f64,
    center: Option<bool>,
    scale: Option<bool>,
    mode: Option<i64>,
    renorm: Option<bool>,
}

fn batch_normalization(config: &Value) -> Result<LayerKind, String> {
    let config: BatchNormalizationConfig = typed(config)?;
    if let Some(mode) = config.mode.filter(|&mode| mode != 0) {
        return Err(format!("mode is {mode}, which normalises with the batch's own statistics; only 0 is supported"));
    }
    if config.renorm == Some(true) {
        return Err("renorm=True is not supported".into());
    }
    if !(0.0..=1.0).contains(&config.epsilon) {
        return Err(format!("epsilon is {}; expected a small positive number such as 0.001", config.epsilon));
    }
    let (center, scale) = (config.center.unwrap_or(true), config.scale.unwrap_or(true));
    Ok(LayerKind::BatchNormalization { epsilon: config.epsilon, center, scale })
}

fn typed<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    T::deserialize(config).map_err(|error| format!("its config is not as Keras writes it or not supported: {error}"))
}
