//! Chains of ops: what one hands to the next, and buffers that several share.

use super::Case;
use super::chain::{Chain, Linear};
use vgg_wgpu::Shape;
use vgg_wgpu::ops::{Activation, Op, Padding, PoolKind, PreprocessMode, ZeroPad2d};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for n in [1, 2, 5] {
        cases.push(small_vgg(n));
    }
    cases.extend([
        residue_of_pools(),
        pools_of_wide_maps(),
        pools_of_many_tiles(),
        explicit_padding(),
        unfused(),
        pool_pair(),
    ]);
    cases
}

const RELU: Linear = Linear { activation: Activation::Relu, bias: true, batch_norm: false };

impl Chain {
    fn same3x3(self, filters: usize) -> Chain {
        let window = self.window([3, 3], [1, 1], Padding::Same);
        self.conv2d(filters, window, RELU)
    }

    fn halve(self) -> Chain {
        self.pool2d(PoolKind::Max, [2, 2], [2, 2], Padding::Valid)
    }
}

/// VGG in small: pixels to class scores.
fn small_vgg(n: usize) -> Case {
    let input = Shape::Map { h: 20, w: 28, c: 3 };
    let chain = Chain::new(format!("network/small_vgg_n{n}"), input).preprocess(PreprocessMode::Caffe);
    let chain = chain.same3x3(8).same3x3(8).halve().same3x3(16).same3x3(16).halve();
    chain.op(Op::Flatten).dense(40, RELU).dense(10, Linear::new(Activation::Linear)).op(Op::Softmax).case(n)
}

/// Odd maps, whose last row and column a valid pool drops and a same pool keeps.
fn residue_of_pools() -> Case {
    let chain = Chain::new("network/odd_maps", Shape::Map { h: 15, w: 11, c: 4 });
    let chain = chain.same3x3(12).halve().same3x3(7).pool2d(PoolKind::Max, [2, 2], [2, 2], Padding::Same);
    chain.same3x3(9).op(Op::Flatten).dense(5, RELU).case(3)
}

/// Channels enough for the fast convolutions, on maps of which pools leave a row and a column: a valid pool drops them and a
/// same pool keeps them. Behind an activation that is no maximum, and without one.
fn pools_of_wide_maps() -> Case {
    let chain = Chain::new("network/wide_odd_maps", Shape::Map { h: 29, w: 23, c: 16 });
    let chain = chain.same3x3(32).halve();
    let window = chain.window([3, 3], [1, 1], Padding::Same);
    let chain = chain.conv2d(48, window, Linear::new(Activation::Tanh)).halve();
    let window = chain.window([3, 3], [1, 1], Padding::Valid);
    chain
        .conv2d(16, window, Linear::new(Activation::Linear))
        .pool2d(PoolKind::Max, [2, 2], [2, 2], Padding::Same)
        .case(3)
}

/// More tiles than a block of any tile size holds, across samples, and an even number of them along both axes.
fn pools_of_many_tiles() -> Case {
    Chain::new("network/many_tiles", Shape::Map { h: 56, w: 41, c: 16 }).same3x3(20).halve().case(3)
}

/// A border of zeros before a valid convolution, and a strided one behind it.
fn explicit_padding() -> Case {
    let chain = Chain::new("network/explicit_padding", Shape::Map { h: 12, w: 9, c: 3 });
    let chain = chain.op(Op::ZeroPad2d(ZeroPad2d { top: 2, bottom: 1, left: 0, right: 3 }));
    let window = chain.window([3, 3], [1, 1], Padding::Valid);
    let chain = chain.conv2d(6, window, RELU);
    let window = chain.window([5, 5], [2, 2], Padding::Same);
    chain.conv2d(11, window, RELU).pool2d(PoolKind::Average, [3, 3], [2, 2], Padding::Same).case(2)
}

/// Ops that no other takes in: batch normalisation behind an activation, activations by themselves.
fn unfused() -> Case {
    let chain = Chain::new("network/unfused", Shape::Map { h: 6, w: 6, c: 5 }).same3x3(8).batch_norm(true, true);
    let chain = chain.op(Op::Activation(Activation::Tanh)).op(Op::Flatten).batch_norm(true, false);
    chain.op(Op::Activation(Activation::Sigmoid)).dense(3, Linear::new(Activation::Tanh)).case(4)
}

/// A convolution whose only reader is a pool, at both ends of the network.
fn pool_pair() -> Case {
    let chain = Chain::new("network/pool_last", Shape::Map { h: 18, w: 10, c: 6 });
    chain.halve().same3x3(20).same3x3(16).halve().case(2)
}
