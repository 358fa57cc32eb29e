//! The closed set of operations a network is lowered to, each with its output shape and its plain reference.
//!
//! One stem finds everything about an op: `src/ops/conv2d.rs` (what it means), `shaders/conv2d.wgsl` (how a GPU computes
//! it), `src/cpu/conv2d.rs` (how the CPU does).
//! Dimensions are `n, h, w, c` (channels last), kernels are Keras's `[kh, kw, c_in, c_out]` and `[in, out]`.

pub mod activation;
pub mod batch_norm;
pub mod conv2d;
pub mod dense;
pub mod flatten;
pub mod pool2d;
pub mod preprocess;
pub mod window;
pub mod winograd;
pub mod zero_pad2d;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use pool2d::{Pool2d, PoolKind};
pub use preprocess::{Preprocess, PreprocessMode};
pub use window::{Padding, Window};
pub use zero_pad2d::ZeroPad2d;

use crate::{Result, Shape, Tensor};

/// One operation on a batch.
#[derive(Debug, Clone)]
pub enum Op {
    /// 2-D convolution, bias and activation.
    Conv2d(Conv2d),
    /// Max or average pooling over a window; global pooling is a window as large as the map.
    Pool2d(Pool2d),
    /// A border of zeros around a map.
    ZeroPad2d(ZeroPad2d),
    /// A map read as a vector in `h, w, c` order.
    Flatten,
    /// A matrix product, bias and activation.
    Dense(Dense),
    /// A batch normalisation that could not be folded into the op before it.
    BatchNorm(BatchNorm),
    /// An activation that could not be fused into the op before it.
    Activation(Activation),
    /// Softmax over the last dimension.
    Softmax,
}

impl Op {
    /// The op's name: the stem of its files.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::Pool2d(_) => "pool2d",
            Op::ZeroPad2d(_) => "zero_pad2d",
            Op::Flatten => "flatten",
            Op::Dense(_) => "dense",
            Op::BatchNorm(_) => "batch_norm",
            Op::Activation(_) => "activation",
            Op::Softmax => "softmax",
        }
    }

    /// The shape of one output sample for an input sample of shape `input`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        match self {
            Op::Conv2d(op) => op.output_shape(),
            Op::Pool2d(op) => op.output_shape(input),
            Op::ZeroPad2d(op) => op.output_shape(input),
            Op::Flatten => Shape::Vector(input.len()),
            Op::Dense(op) => Shape::Vector(op.units),
            Op::BatchNorm(_) | Op::Activation(_) | Op::Softmax => input,
        }
    }

    /// Floating-point operations for one sample, a multiply-add counted as two; data movement counts as none.
    pub fn flops(&self, input: Shape) -> u64 {
        let output = self.output_shape(input).len() as u64;
        match self {
            Op::Conv2d(op) => output * 2 * (op.window.taps() * op.c_in) as u64,
            Op::Dense(op) => output * 2 * op.inputs as u64,
            Op::Pool2d(op) => output * op.window.taps() as u64,
            Op::BatchNorm(_) => output * 2,
            Op::ZeroPad2d(_) | Op::Flatten | Op::Activation(_) | Op::Softmax => 0,
        }
    }

    /// The number of weights that are read, whatever the batch.
    pub fn weights(&self) -> usize {
        match self {
            Op::Conv2d(op) => op.kernel.len() + op.c_out,
            Op::Dense(op) => op.kernel.len() + op.units,
            Op::BatchNorm(op) => 2 * op.channels,
            Op::Pool2d(_) | Op::ZeroPad2d(_) | Op::Flatten | Op::Activation(_) | Op::Softmax => 0,
        }
    }

    /// The plain reference: deliberately simple loops that accumulate in f64 and round once, for tests to compare with.
    pub fn reference(&self, input: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Op::Conv2d(op) => op.reference(input, &op.load()?),
            Op::Pool2d(op) => op.reference(input),
            Op::ZeroPad2d(op) => op.reference(input),
            Op::Flatten => flatten::reference(input),
            Op::Dense(op) => op.reference(input, &op.load()?),
            Op::BatchNorm(op) => op.load()?.reference(input),
            Op::Activation(activation) => activation.reference(input),
            Op::Softmax => activation::softmax_reference(input),
        })
    }
}
