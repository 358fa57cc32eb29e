//! Ops that treat each value, or each pixel, by itself, and those that only move values.

use super::{Case, Chain};
use vgg_wgpu::Shape;
use vgg_wgpu::ops::{Activation, Op, PreprocessMode, ZeroPad2d};

const MAPS_AND_VECTORS: [(&str, Shape); 4] = [
    ("map_5x7x3", Shape::Map { h: 5, w: 7, c: 3 }),
    ("map_6x4x16", Shape::Map { h: 6, w: 4, c: 16 }),
    ("vector_1", Shape::Vector(1)),
    ("vector_1000", Shape::Vector(1000)),
];

pub fn cases() -> Vec<Case> {
    [zero_pad2d(), flatten(), batch_norm(), activation(), softmax(), preprocess()].concat()
}

fn zero_pad2d() -> Vec<Case> {
    let pads = [[1, 1, 1, 1], [1, 2, 3, 4], [0, 3, 0, 0], [0, 0, 2, 0], [3, 0, 0, 1]];
    let shapes = [[5, 7, 3], [4, 4, 16], [1, 1, 1]];
    let mut cases = Vec::new();
    for [top, bottom, left, right] in pads {
        for [h, w, c] in shapes {
            let name = format!("zero_pad2d/{top}_{bottom}_{left}_{right}_{h}x{w}_c{c}");
            let op = Op::ZeroPad2d(ZeroPad2d { top, bottom, left, right });
            cases.push(Chain::new(name, Shape::Map { h, w, c }).op(op).case(2));
        }
    }
    cases
}

fn flatten() -> Vec<Case> {
    [[5, 7, 3], [7, 7, 64], [1, 1, 1]]
        .map(|[h, w, c]| Chain::new(format!("flatten/{h}x{w}_c{c}"), Shape::Map { h, w, c }).op(Op::Flatten).case(3))
        .to_vec()
}

fn batch_norm() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, shape) in MAPS_AND_VECTORS {
        for (gamma, beta) in [(true, true), (false, true), (true, false), (false, false)] {
            let name = format!("batch_norm/{name}_gamma_{gamma}_beta_{beta}");
            cases.push(Chain::new(name, shape).batch_norm(gamma, beta).case(3));
        }
    }
    cases
}

/// Arguments up to 40, where exp(-x) is far from 1 and sigmoid and tanh saturate, and up to 1000, where exp overflows.
fn activation() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in [Activation::Linear, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
        for (name, shape) in MAPS_AND_VECTORS {
            for limit in [1.5, 40.0, 1000.0] {
                let name = format!("activation/{}_{name}_{limit}", format!("{activation:?}").to_lowercase());
                cases.push(Chain::new(name, shape).op(Op::Activation(activation)).case_in(5, -0.8 * limit, limit));
            }
        }
    }
    cases
}

fn softmax() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, shape) in MAPS_AND_VECTORS {
        for limit in [2.0, 30.0, 3000.0] {
            let name = format!("softmax/{name}_{limit}");
            cases.push(Chain::new(name, shape).op(Op::Softmax).case_in(3, -limit, 0.9 * limit));
        }
    }
    cases
}

/// Behind a flatten: a network without any op has no output of its own.
fn preprocess() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in [PreprocessMode::Caffe, PreprocessMode::Tf, PreprocessMode::Torch, PreprocessMode::None] {
        for [h, w] in [[5, 7], [32, 32], [1, 1]] {
            let name = format!("preprocess/{}_{h}x{w}", format!("{mode:?}").to_lowercase());
            let chain = Chain::new(name, Shape::Map { h, w, c: 3 }).preprocess(mode);
            cases.push(chain.op(Op::Flatten).case(3));
        }
    }
    cases
}
