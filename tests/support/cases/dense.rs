//! Fully connected layers.

use super::Case;
use super::chain::{Chain, Linear};
use vgg_wgpu::Shape;
use vgg_wgpu::ops::Activation;

pub fn cases() -> Vec<Case> {
    let relu = Linear::new(Activation::Relu);
    let mut cases = Vec::new();
    for inputs in [1, 7, 33, 1000] {
        for units in [1, 7, 64, 1000] {
            cases.push(case(inputs, units, 3, Linear::new(Activation::Linear)));
        }
    }
    for n in [1, 3, 8, 9] {
        cases.push(case(25088, 16, n, relu));
        cases.push(case(130, 100, n, relu));
    }
    for activation in [Activation::Linear, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
        for (bias, batch_norm) in [(false, false), (true, true)] {
            cases.push(case(50, 30, 2, Linear { activation, bias, batch_norm }));
        }
    }
    cases
}

fn case(inputs: usize, units: usize, n: usize, linear: Linear) -> Case {
    let bias = if linear.bias { "" } else { "_nobias" };
    let folded = if linear.batch_norm { "_bn" } else { "" };
    let activation = format!("{:?}", linear.activation).to_lowercase();
    let name = format!("dense/i{inputs}_o{units}_n{n}_{activation}{bias}{folded}");
    Chain::new(name, Shape::Vector(inputs)).dense(units, linear).case(n)
}
