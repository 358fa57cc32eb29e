//! The comparison of a backend's result with the reference.

use vgg_wgpu::ops::{Activation, Op, PoolKind};
use vgg_wgpu::{Network, Node, Tensor};

/// The largest difference allowed, as a share of the largest value of the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance(f64);

impl Tolerance {
    /// Ops that only move or select values, tables among them: every bit is known.
    pub const EXACT: Tolerance = Tolerance(0.0);

    /// One multiplication and one addition, or a constant folded to f32: a few roundings.
    pub const ROUNDED: Tolerance = Tolerance(4.0 * f32::EPSILON as f64);

    /// `exp` and `tanh` differ between devices by some units in the last place, times the argument for `exp` by way of
    /// `exp2`.
    pub const TRANSCENDENTAL: Tolerance = Tolerance(64.0 * f32::EPSILON as f64);

    /// What Winograd's transforms add to a sum: the matrices of F(7x7, 3x3) have factors from 1/4 to 130, with which the
    /// rounding of the products grows. Chosen and not derived: the largest error seen is 110, the sum's part included, and 148 on
    /// a processor without fused multiply-adds.
    pub const WINOGRAD: Tolerance = Tolerance(128.0 * f32::EPSILON as f64);

    /// A sum of `terms` products in f32: roundings add up like a random walk, so with the root of the number of terms.
    pub fn sum(terms: usize) -> Tolerance {
        Tolerance((16.0 + (terms as f64).sqrt()) * f64::from(f32::EPSILON))
    }

    /// Of a whole network: the errors of its nodes add up.
    pub fn of(network: &Network) -> Tolerance {
        Tolerance::of_nodes(&network.nodes)
    }

    /// Of the first nodes of a network.
    pub fn of_nodes(nodes: &[Node]) -> Tolerance {
        Tolerance(nodes.iter().map(|node| Tolerance::of_op(&node.op).0).sum())
    }

    fn of_op(op: &Op) -> Tolerance {
        match op {
            Op::Conv2d(op) => {
                let winograd = op.window.kernel == [3, 3] && op.window.stride == [1, 1] && op.c_in.min(op.c_out) >= 16;
                let sum = Tolerance::sum(op.window.taps() * op.c_in).and(op.activation);
                if winograd { Tolerance(sum.0 + Tolerance::WINOGRAD.0) } else { sum }
            }
            Op::Dense(op) => Tolerance::sum(op.inputs).and(op.activation),
            Op::Pool2d(op) if op.kind == PoolKind::Average => Tolerance::sum(op.window.taps()),
            Op::Pool2d(_) | Op::ZeroPad2d(_) | Op::Flatten => Tolerance::EXACT,
            Op::BatchNorm(_) => Tolerance::ROUNDED,
            Op::Activation(activation) => Tolerance::EXACT.and(*activation),
            Op::Softmax => Tolerance::TRANSCENDENTAL,
        }
    }

    fn and(self, activation: Activation) -> Tolerance {
        match activation {
            Activation::Linear | Activation::Relu => self,
            Activation::Sigmoid | Activation::Tanh => Tolerance(self.0 + Tolerance::TRANSCENDENTAL.0),
        }
    }
}

/// Whether `actual` is `expected` within `tolerance`, and else what differs.
pub fn compare(actual: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Result<(), String> {
    if (actual.n, actual.shape) != (expected.n, expected.shape) || actual.data.len() != expected.data.len() {
        return Err(format!(
            "{} samples of {} ({} values), expected {} of {} ({} values)",
            actual.n,
            actual.shape,
            actual.data.len(),
            expected.n,
            expected.shape,
            expected.data.len()
        ));
    }
    let largest = expected.data.iter().fold(0.0, |largest: f64, &value| largest.max(f64::from(value).abs()));
    if !expected.data.iter().all(|value| value.is_finite()) || largest == 0.0 {
        return Err("the reference is not finite or all zeros: this case shows nothing".into());
    }
    let bound = tolerance.0 * largest;
    let error = |index: usize| (f64::from(actual.data[index]) - f64::from(expected.data[index])).abs();
    // NaN is within no bound.
    let outliers: Vec<usize> =
        (0..expected.data.len()).filter(|&index| !matches!(error(index), e if e <= bound)).collect();
    let Some(&first) = outliers.first() else { return Ok(()) };
    let worst = outliers.iter().map(|&index| error(index)).fold(0.0, |worst, e| if e <= worst { worst } else { e });
    Err(format!(
        "{} of {} values differ, by up to {worst:e} (allowed: {bound:e}); the first at {:?}: {:?}, expected {:?}",
        outliers.len(),
        expected.data.len(),
        position(expected, first),
        actual.data[first],
        expected.data[first]
    ))
}

/// The indices of a value, sample first.
fn position(tensor: &Tensor, mut index: usize) -> Vec<usize> {
    let mut position = Vec::new();
    for dim in tensor.shape.dims().into_iter().rev() {
        position.push(index % dim);
        index /= dim;
    }
    position.push(index);
    position.reverse();
    position
}
