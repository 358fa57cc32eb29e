//! One op with its weights in memory.

use super::conv2d::Conv2d;
use super::dense::Dense;
use super::elementwise::{self, BatchNorm};
use super::pool2d::Pool2d;
use super::scratch::Scratch;
use super::winograd::Winograd;
use super::zero_pad2d::ZeroPad2d;
use crate::ops::{Activation, Op};
use crate::{Result, Shape};

/// What the CPU does for one node.
pub enum Step {
    Conv2d(Conv2d),
    Winograd(Winograd),
    Pool2d(Pool2d),
    ZeroPad2d(ZeroPad2d),
    Flatten,
    Dense(Dense),
    BatchNorm(BatchNorm),
    Activation(Activation),
    Softmax { channels: usize },
}

impl Step {
    /// Reads and repacks the op's weights; `input` is the shape of one sample.
    pub fn compile(op: &Op, input: Shape) -> Result<Step> {
        Ok(match op {
            Op::Conv2d(op) if Winograd::takes(op) => Step::Winograd(Winograd::compile(op, input)?),
            Op::Conv2d(op) => Step::Conv2d(Conv2d::compile(op, input)?),
            Op::Pool2d(op) => Step::Pool2d(Pool2d::compile(op, input)),
            Op::ZeroPad2d(op) => Step::ZeroPad2d(ZeroPad2d::compile(*op, input)),
            Op::Flatten => Step::Flatten,
            Op::Dense(op) => Step::Dense(Dense::compile(op)?),
            Op::BatchNorm(op) => Step::BatchNorm(BatchNorm::compile(op)?),
            Op::Activation(activation) => Step::Activation(*activation),
            Op::Softmax => Step::Softmax { channels: input.channels() },
        })
    }

    /// Whether [`Step::run`] can compute `next` too.
    pub fn takes_pool(&self, next: &Op) -> bool {
        match (self, next) {
            (Step::Winograd(step), Op::Pool2d(pool)) => step.takes_pool(pool),
            _ => false,
        }
    }

    /// Computes `n` samples and writes every element of `output`, which is that of the pool behind this step where
    /// `pooled`. Runs on the thread pool it is called in, with `scratch` that serves one step after the other.
    pub fn run(&self, n: usize, input: &[f32], output: &mut [f32], pooled: bool, scratch: &mut Scratch) {
        match self {
            Step::Conv2d(step) => step.run(input, output),
            Step::Winograd(step) => step.run(n, input, output, pooled, scratch),
            Step::Pool2d(step) => step.run(input, output),
            Step::ZeroPad2d(step) => step.run(input, output),
            Step::Flatten => output.copy_from_slice(input),
            Step::Dense(step) => step.run(input, output),
            Step::BatchNorm(step) => step.run(input, output),
            Step::Activation(activation) => elementwise::activate(*activation, input, output),
            Step::Softmax { channels } => elementwise::softmax(*channels, input, output),
        }
    }
}
