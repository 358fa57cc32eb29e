//! Lowering: from Keras layers to ops that a backend can plan and run.

use crate::keras::layer::{Activation as LayerActivation, LayerKind};
use crate::keras::{Layer, Model};
use crate::ops::{
    Activation, BatchNorm, Conv2d, Dense, Op, Padding, Pool2d, PoolKind, Preprocess, PreprocessMode, Window, ZeroPad2d,
};
use crate::parameter::ParameterSource;
use crate::{Error, Parameter, Result, Shape};
use std::sync::Arc;

/// A chain of ops with known shapes.
#[derive(Debug, Clone)]
pub struct Network {
    /// The shape of one input sample: of the pixels where `preprocess` is set, of the values otherwise.
    pub input: Shape,
    /// Applied to pixels before the first node.
    pub preprocess: Option<Preprocess>,
    /// In order; each one's output is the next one's input.
    pub nodes: Vec<Node>,
}

/// One op of a network.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name of the last Keras layer whose output this is: a fused activation or a folded normalisation gives its own.
    pub layer: String,
    /// What is computed.
    pub op: Op,
    /// The shape of one input sample.
    pub input: Shape,
    /// The shape of one output sample.
    pub output: Shape,
}

impl Network {
    /// The shape of one output sample: the input's where there is no node.
    pub fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    /// The `[h, w]` that images must have, where the network takes images at all.
    pub fn image_size(&self) -> Option<[usize; 2]> {
        match self.input {
            Shape::Map { h, w, c: 3 } if self.preprocess.is_some() => Some([h, w]),
            _ => None,
        }
    }

    /// Floating-point operations for one sample, a multiply-add counted as two.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().map(|node| node.op.flops(node.input)).sum()
    }
}

/// Turns a model's layers into ops: identities vanish, activations are fused and normalisations folded into the op before
/// them where that changes no result.
pub(crate) fn lower(model: &Model, preprocess: Option<PreprocessMode>) -> Result<Network> {
    let architecture = &model.architecture;
    if preprocess.is_some() && !matches!(architecture.input, Shape::Map { c: 3, .. }) {
        let problem = format!("images have 3 channels, the model's input is {}", architecture.input);
        return Err(Error::model(&architecture.origin, problem));
    }
    let mut lowering = Lowering { shape: architecture.input, nodes: Vec::new(), channels_first: None };
    for (layer, parameters) in architecture.layers.iter().zip(&model.parameters) {
        lowering
            .add(layer, parameters)
            .map_err(|problem| Error::model(&architecture.origin, format!("layer {}: {problem}", layer.name)))?;
    }
    if lowering.channels_first.is_some() {
        let problem = "the output is a channels-first Flatten, whose order only a Dense behind it can take; \
                       choose another --layer";
        return Err(Error::model(&architecture.origin, problem));
    }
    Ok(Network { input: architecture.input, preprocess: preprocess.map(Preprocess::new), nodes: lowering.nodes })
}

struct Lowering {
    shape: Shape,
    nodes: Vec<Node>,
    /// The map that a channels-first Flatten made a vector of, until a Dense has taken its order.
    channels_first: Option<Shape>,
}

impl Lowering {
    fn add(&mut self, layer: &Layer, parameters: &[Parameter]) -> Result<(), String> {
        match layer.kind {
            LayerKind::InputLayer | LayerKind::Dropout => {}
            LayerKind::Conv2D { kernel, stride, padding, activation, .. } => {
                let window = self.window(kernel, stride, padding);
                self.conv2d(layer, parameters, window, activation);
            }
            LayerKind::MaxPooling2D { pool, stride, padding } => {
                let window = self.window(pool, stride, padding);
                self.push(layer, Op::Pool2d(Pool2d { kind: PoolKind::Max, window }));
            }
            LayerKind::AveragePooling2D { pool, stride, padding } => {
                let window = self.window(pool, stride, padding);
                self.push(layer, Op::Pool2d(Pool2d { kind: PoolKind::Average, window }));
            }
            LayerKind::GlobalMaxPooling2D { keepdims } => self.global_pool(layer, PoolKind::Max, keepdims),
            LayerKind::GlobalAveragePooling2D { keepdims } => self.global_pool(layer, PoolKind::Average, keepdims),
            LayerKind::ZeroPadding2D { padding: [[top, bottom], [left, right]] } => {
                self.push(layer, Op::ZeroPad2d(ZeroPad2d { top, bottom, left, right }));
            }
            LayerKind::Flatten { channels_first } => {
                if let Shape::Map { h, w, c } = self.shape {
                    // Of one pixel, or of one channel, both orders are the same.
                    if channels_first && h * w > 1 && c > 1 {
                        self.channels_first = Some(self.shape);
                    }
                    self.push(layer, Op::Flatten);
                }
            }
            LayerKind::Dense { activation, .. } => self.dense(layer, parameters, activation),
            LayerKind::BatchNormalization { epsilon, center, scale } => {
                if self.channels_first.is_some() {
                    return Err("a BatchNormalization behind a channels-first Flatten is not supported".into());
                }
                self.batch_norm(layer, parameters, epsilon, center, scale);
            }
            LayerKind::Activation(activation) => self.activation(layer, activation),
        }
        Ok(())
    }

    fn push(&mut self, layer: &Layer, op: Op) {
        let input = self.shape;
        self.shape = op.output_shape(input);
        self.nodes.push(Node { layer: layer.name.clone(), op, input, output: self.shape });
    }

    /// The window over the current map; that it fits was checked with the architecture's shapes.
    fn window(&self, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Window {
        let Shape::Map { h, w, .. } = self.shape else { unreachable!("checked with the architecture") };
        Window::resolve([h, w], kernel, stride, padding).expect("checked with the architecture")
    }

    fn conv2d(&mut self, layer: &Layer, parameters: &[Parameter], window: Window, activation: LayerActivation) {
        let op = Conv2d {
            window,
            c_in: self.shape.channels(),
            c_out: layer.output.channels(),
            activation: Activation::Linear,
            kernel: parameters[0].clone(),
            bias: parameters.get(1).cloned(),
            batch_norm: None,
        };
        self.push(layer, Op::Conv2d(op));
        self.activation(layer, activation);
    }

    fn dense(&mut self, layer: &Layer, parameters: &[Parameter], activation: LayerActivation) {
        if let Shape::Map { h, w, .. } = self.shape {
            // Keras applies Dense to the last dimension: on a map that is a 1x1 convolution with the same weights.
            let window = Window { kernel: [1, 1], stride: [1, 1], before: [0, 0], output: [h, w] };
            return self.conv2d(layer, parameters, window, activation);
        }
        let kernel = match self.channels_first.take() {
            None => parameters[0].clone(),
            Some(map) => rows_from_channels_first(&parameters[0], map),
        };
        let op = Dense {
            inputs: self.shape.len(),
            units: layer.output.channels(),
            activation: Activation::Linear,
            kernel,
            bias: parameters.get(1).cloned(),
            batch_norm: None,
        };
        self.push(layer, Op::Dense(op));
        self.activation(layer, activation);
    }

    fn global_pool(&mut self, layer: &Layer, kind: PoolKind, keepdims: bool) {
        let Shape::Map { h, w, .. } = self.shape else { unreachable!("checked with the architecture") };
        let window = self.window([h, w], [1, 1], Padding::Valid);
        self.push(layer, Op::Pool2d(Pool2d { kind, window }));
        if !keepdims {
            self.push(layer, Op::Flatten);
        }
    }

    fn batch_norm(&mut self, layer: &Layer, parameters: &[Parameter], epsilon: f64, center: bool, scale: bool) {
        let mut next = parameters.iter().cloned();
        let gamma = scale.then(|| next.next()).flatten();
        let beta = center.then(|| next.next()).flatten();
        let (mean, variance) = next.next().zip(next.next()).expect("counted with the architecture");
        let batch_norm = BatchNorm { channels: self.shape.channels(), epsilon, gamma, beta, mean, variance };
        let foldable = match self.nodes.last_mut() {
            Some(Node { op: Op::Conv2d(op), .. }) => Some((op.activation, &mut op.batch_norm)),
            Some(Node { op: Op::Dense(op), .. }) => Some((op.activation, &mut op.batch_norm)),
            _ => None,
        };
        match foldable {
            Some((Activation::Linear, slot @ None)) => {
                *slot = Some(batch_norm);
                self.rename_last(layer);
            }
            _ => self.push(layer, Op::BatchNorm(batch_norm)),
        }
    }

    fn activation(&mut self, layer: &Layer, activation: LayerActivation) {
        let activation = match activation {
            LayerActivation::Softmax => return self.push(layer, Op::Softmax),
            LayerActivation::Elementwise(Activation::Linear) => return,
            LayerActivation::Elementwise(activation) => activation,
        };
        let fused = match self.nodes.last_mut() {
            Some(Node { op: Op::Conv2d(op), .. }) => Some(&mut op.activation),
            Some(Node { op: Op::Dense(op), .. }) => Some(&mut op.activation),
            _ => None,
        };
        match fused {
            Some(slot @ Activation::Linear) => {
                *slot = activation;
                self.rename_last(layer);
            }
            _ => self.push(layer, Op::Activation(activation)),
        }
    }

    fn rename_last(&mut self, layer: &Layer) {
        self.nodes.last_mut().expect("fused into a node").layer.clone_from(&layer.name);
    }
}

/// `kernel` `[c*h*w, units]`, its rows in the order `c, h, w`, with the rows in the order `h, w, c`.
fn rows_from_channels_first(kernel: &Parameter, map: Shape) -> Parameter {
    Parameter::new(&kernel.name, kernel.shape.clone(), Arc::new(RowsFromChannelsFirst { kernel: kernel.clone(), map }))
}

#[derive(Debug)]
struct RowsFromChannelsFirst {
    kernel: Parameter,
    map: Shape,
}

impl ParameterSource for RowsFromChannelsFirst {
    fn load(&self, len: usize) -> Result<Vec<f32>> {
        let Shape::Map { h, w, c } = self.map else { unreachable!("made for a map") };
        let rows = self.kernel.load()?;
        let units = len / (h * w * c);
        let mut values = Vec::with_capacity(len);
        for (y, x, channel) in (0..h * w * c).map(|row| (row / (w * c), row / c % w, row % c)) {
            values.extend_from_slice(&rows[((channel * h + y) * w + x) * units..][..units]);
        }
        Ok(values)
    }

    fn origin(&self) -> String {
        "a channels-first weights file".into()
    }
}
