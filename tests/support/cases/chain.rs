//! Builds a network op by op, with random weights.

use super::{Case, Samples};
use crate::support::random::Random;
use vgg_wgpu::ops::{
    Activation, BatchNorm, Conv2d, Dense, Op, Padding, Pool2d, PoolKind, Preprocess, PreprocessMode, Window,
};
use vgg_wgpu::{Network, Node, Parameter, Shape};

/// A network under construction. Its weights depend on its name only.
pub struct Chain {
    name: String,
    random: Random,
    network: Network,
}

/// What a convolution or a dense layer has beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    pub activation: Activation,
    pub bias: bool,
    pub batch_norm: bool,
}

impl Linear {
    /// With bias and without batch normalisation.
    pub fn new(activation: Activation) -> Linear {
        Linear { activation, bias: true, batch_norm: false }
    }
}

impl Chain {
    /// The empty network.
    pub fn new(name: impl Into<String>, input: Shape) -> Chain {
        let name = name.into();
        let random = Random::new(&name);
        Chain { name, random, network: Network { input, preprocess: None, nodes: Vec::new() } }
    }

    /// Takes pixels.
    pub fn preprocess(mut self, mode: PreprocessMode) -> Chain {
        self.network.preprocess = Some(Preprocess::new(mode));
        self
    }

    /// A convolution with `filters` output channels.
    pub fn conv2d(mut self, filters: usize, window: Window, linear: Linear) -> Chain {
        let c_in = self.network.output().channels();
        let (bias, batch_norm) = self.bias_and_batch_norm(filters, linear);
        let kernel = self.kernel(vec![window.kernel[0], window.kernel[1], c_in, filters]);
        let activation = linear.activation;
        self.op(Op::Conv2d(Conv2d { window, c_in, c_out: filters, activation, kernel, bias, batch_norm }))
    }

    /// A fully connected layer.
    pub fn dense(mut self, units: usize, linear: Linear) -> Chain {
        let inputs = self.network.output().len();
        let (bias, batch_norm) = self.bias_and_batch_norm(units, linear);
        let kernel = self.kernel(vec![inputs, units]);
        self.op(Op::Dense(Dense { inputs, units, activation: linear.activation, kernel, bias, batch_norm }))
    }

    /// A pool over the current map.
    pub fn pool2d(self, kind: PoolKind, pool: [usize; 2], stride: [usize; 2], padding: Padding) -> Chain {
        let window = self.window(pool, stride, padding);
        self.op(Op::Pool2d(Pool2d { kind, window }))
    }

    /// A batch normalisation of its own.
    pub fn batch_norm(mut self, gamma: bool, beta: bool) -> Chain {
        let batch_norm = self.random_batch_norm(self.network.output().channels(), gamma, beta);
        self.op(Op::BatchNorm(batch_norm))
    }

    /// Any op.
    pub fn op(mut self, op: Op) -> Chain {
        let input = self.network.output();
        let output = op.output_shape(input);
        let layer = format!("{}_{}", op.name(), self.network.nodes.len());
        self.network.nodes.push(Node { layer, op, input, output });
        self
    }

    /// The window over the current map.
    pub fn window(&self, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Window {
        let Shape::Map { h, w, .. } = self.network.output() else { panic!("{} needs a map", self.name) };
        Window::resolve([h, w], kernel, stride, padding).unwrap_or_else(|| panic!("{}: does not fit", self.name))
    }

    /// The case with `n` samples of pixels, or of values that are not centred on zero.
    pub fn case(self, n: usize) -> Case {
        self.case_in(n, -0.75, 1.25)
    }

    /// The case with `n` samples of pixels, or of values between `low` and `high`.
    pub fn case_in(mut self, n: usize, low: f32, high: f32) -> Case {
        let len = n * self.network.input.len();
        let samples = match self.network.preprocess {
            Some(_) => Samples::Pixels(self.random.bytes(len)),
            None => Samples::Values(self.random.uniform(len, low, high)),
        };
        Case { name: self.name, network: self.network, n, samples }
    }

    /// Uniform with a variance that keeps sums near the size of the inputs.
    fn kernel(&mut self, shape: Vec<usize>) -> Parameter {
        let terms: usize = shape[..shape.len() - 1].iter().product();
        let limit = (3.0 / terms as f32).sqrt();
        let values = self.random.uniform(shape.iter().product(), -limit, limit);
        Parameter::in_memory("kernel", shape, values)
    }

    fn vector(&mut self, name: &str, len: usize, low: f32, high: f32) -> Parameter {
        Parameter::in_memory(name, vec![len], self.random.uniform(len, low, high))
    }

    fn bias_and_batch_norm(&mut self, channels: usize, linear: Linear) -> (Option<Parameter>, Option<BatchNorm>) {
        let bias = linear.bias.then(|| self.vector("bias", channels, 0.2, 1.0));
        let batch_norm = linear.batch_norm.then(|| self.random_batch_norm(channels, true, true));
        (bias, batch_norm)
    }

    fn random_batch_norm(&mut self, channels: usize, gamma: bool, beta: bool) -> BatchNorm {
        BatchNorm {
            channels,
            epsilon: 1e-3,
            gamma: gamma.then(|| self.vector("gamma", channels, 0.5, 1.5)),
            beta: beta.then(|| self.vector("beta", channels, -0.5, 0.5)),
            mean: self.vector("moving_mean", channels, -0.5, 0.5),
            variance: self.vector("moving_variance", channels, 0.5, 2.0),
        }
    }
}
