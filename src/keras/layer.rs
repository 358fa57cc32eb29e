//! The Keras layers this crate knows: their parameters and shapes.

use crate::Shape;
use crate::ops::{self, Padding, Window};

/// A layer of an architecture, its output shape inferred.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Unique in the architecture: Keras's `name`.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// The shape of one output sample.
    pub output: Shape,
    /// Keras's `trainable`: false where the layer was frozen. Only the summary's counts depend on it.
    pub trainable: bool,
}

/// More values than any sample or weight has: 2^40, in f32 4 TiB. Products of such sizes stay far below 2^64.
const MAX_VALUES: usize = 1 << 40;

/// `shape`, unless it is empty or of a size that no computer holds.
pub(super) fn check_size(shape: Shape) -> Result<Shape, String> {
    match shape.checked_len() {
        Some(1..=MAX_VALUES) => Ok(shape),
        _ => Err(format!("{shape} is empty or impossibly large")),
    }
}

/// An `activation=`: elementwise, or softmax over the last dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// linear, relu, sigmoid, tanh.
    Elementwise(ops::Activation),
    /// softmax.
    Softmax,
}

/// A Keras layer class with its configuration. Pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerKind {
    InputLayer,
    Conv2D {
        filters: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        use_bias: bool,
        activation: Activation,
    },
    MaxPooling2D {
        pool: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
    },
    AveragePooling2D {
        pool: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
    },
    GlobalMaxPooling2D {
        keepdims: bool,
    },
    GlobalAveragePooling2D {
        keepdims: bool,
    },
    /// `[[top, bottom], [left, right]]`.
    ZeroPadding2D {
        padding: [[usize; 2]; 2],
    },
    /// `channels_first` is the order in which a model of a Keras before 2.1.6 on `channels_first` data lays out the
    /// vector: `c, h, w`. Everything else flattens `h, w, c`.
    Flatten {
        channels_first: bool,
    },
    Dense {
        units: usize,
        use_bias: bool,
        activation: Activation,
    },
    Dropout,
    BatchNormalization {
        epsilon: f64,
        center: bool,
        scale: bool,
    },
    Activation(Activation),
}

impl LayerKind {
    /// Keras's class name.
    pub fn class_name(&self) -> &'static str {
        match self {
            LayerKind::InputLayer => "InputLayer",
            LayerKind::Conv2D { .. } => "Conv2D",
            LayerKind::MaxPooling2D { .. } => "MaxPooling2D",
            LayerKind::AveragePooling2D { .. } => "AveragePooling2D",
            LayerKind::GlobalMaxPooling2D { .. } => "GlobalMaxPooling2D",
            LayerKind::GlobalAveragePooling2D { .. } => "GlobalAveragePooling2D",
            LayerKind::ZeroPadding2D { .. } => "ZeroPadding2D",
            LayerKind::Flatten { .. } => "Flatten",
            LayerKind::Dense { .. } => "Dense",
            LayerKind::Dropout => "Dropout",
            LayerKind::BatchNormalization { .. } => "BatchNormalization",
            LayerKind::Activation(_) => "Activation",
        }
    }

    /// The shape of one output sample for an input of shape `input`, or what is wrong with the pair.
    pub fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        let output = match *self {
            LayerKind::InputLayer
            | LayerKind::Dropout
            | LayerKind::BatchNormalization { .. }
            | LayerKind::Activation(_) => input,
            LayerKind::Conv2D { filters, kernel, stride, padding, .. } => {
                self.windowed(input, kernel, stride, padding, Some(filters))?
            }
            LayerKind::MaxPooling2D { pool, stride, padding }
            | LayerKind::AveragePooling2D { pool, stride, padding } => {
                self.windowed(input, pool, stride, padding, None)?
            }
            LayerKind::GlobalMaxPooling2D { keepdims } | LayerKind::GlobalAveragePooling2D { keepdims } => {
                let (_, c) = self.map(input)?;
                if keepdims { Shape::Map { h: 1, w: 1, c } } else { Shape::Vector(c) }
            }
            LayerKind::ZeroPadding2D { padding: [[top, bottom], [left, right]] } => {
                let ([h, w], c) = self.map(input)?;
                let sum = |parts: [usize; 3]| parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
                let (h, w) = sum([h, top, bottom]).zip(sum([w, left, right])).ok_or("the padding overflows")?;
                Shape::Map { h, w, c }
            }
            LayerKind::Flatten { .. } => Shape::Vector(input.len()),
            LayerKind::Dense { units, .. } => match input {
                Shape::Vector(_) => Shape::Vector(units),
                Shape::Map { h, w, .. } => Shape::Map { h, w, c: units },
            },
        };
        check_size(output).map_err(|problem| format!("its output {problem}"))
    }

    /// Refuses weights and windows so large that counting them, or the work they make, could overflow.
    pub(super) fn check_work(&self, input: Shape, output: Shape) -> Result<(), String> {
        let taps = match *self {
            LayerKind::Conv2D { kernel: window, .. }
            | LayerKind::MaxPooling2D { pool: window, .. }
            | LayerKind::AveragePooling2D { pool: window, .. } => window[0].checked_mul(window[1]),
            _ => Some(1),
        };
        // An upper bound for every kind of layer: each output from all taps of all input channels.
        let work = taps.and_then(|taps| taps.checked_mul(input.channels())?.checked_mul(output.len()));
        let product = |shape: &[usize]| shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let weights_fit =
            self.parameters(input).iter().all(|(_, shape)| product(shape).is_some_and(|len| len <= MAX_VALUES));
        if weights_fit && work.is_some_and(|work| work <= 1 << 60) {
            Ok(())
        } else {
            Err(format!("its weights or its window are impossibly large for an input of {input}"))
        }
    }

    /// The trainable and stored tensors in Keras's order, each with its Keras name and shape.
    pub fn parameters(&self, input: Shape) -> Vec<(&'static str, Vec<usize>)> {
        let c = input.channels();
        match *self {
            LayerKind::Conv2D { filters, kernel: [kh, kw], use_bias, .. } => {
                let bias = use_bias.then(|| ("bias", vec![filters]));
                [("kernel", vec![kh, kw, c, filters])].into_iter().chain(bias).collect()
            }
            LayerKind::Dense { units, use_bias, .. } => {
                let bias = use_bias.then(|| ("bias", vec![units]));
                [("kernel", vec![c, units])].into_iter().chain(bias).collect()
            }
            LayerKind::BatchNormalization { center, scale, .. } => {
                let all = [("gamma", scale), ("beta", center), ("moving_mean", true), ("moving_variance", true)];
                all.into_iter().filter(|&(_, present)| present).map(|(name, _)| (name, vec![c])).collect()
            }
            _ => Vec::new(),
        }
    }

    fn map(&self, input: Shape) -> Result<([usize; 2], usize), String> {
        match input {
            Shape::Map { h, w, c } => Ok(([h, w], c)),
            Shape::Vector(_) => Err(format!("{} needs a map (None, h, w, c), its input is {input}", self.class_name())),
        }
    }

    fn windowed(
        &self,
        input: Shape,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        filters: Option<usize>,
    ) -> Result<Shape, String> {
        let (size, c) = self.map(input)?;
        let window = Window::resolve(size, kernel, stride, padding).ok_or_else(|| {
            format!("a window of {kernel:?} with stride {stride:?} fits nowhere in its input {input}")
        })?;
        let [h, w] = window.output;
        Ok(Shape::Map { h, w, c: filters.unwrap_or(c) })
    }
}
