//! Convolutions.

use super::Case;
use super::chain::{Chain, Linear};
use vgg_wgpu::Shape;
use vgg_wgpu::ops::{Activation, Padding};

/// What one case is made of; `..BASE` gives the rest.
#[derive(Clone, Copy)]
struct Spec {
    size: [usize; 2],
    c_in: usize,
    c_out: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    linear: Linear,
    n: usize,
}

const BASE: Spec = Spec {
    size: [13, 17],
    c_in: 5,
    c_out: 10,
    kernel: [3, 3],
    stride: [1, 1],
    padding: Padding::Same,
    linear: Linear { activation: Activation::Linear, bias: true, batch_norm: false },
    n: 2,
};

const RELU: Linear = Linear { activation: Activation::Relu, bias: true, batch_norm: false };

impl Spec {
    fn case(self) -> Case {
        let Spec { size: [h, w], kernel: [kh, kw], stride: [sh, sw], .. } = self;
        let padding = if self.padding == Padding::Same { "same" } else { "valid" };
        let step = if self.stride == [1, 1] { String::new() } else { format!("_s{sh}x{sw}") };
        let bias = if self.linear.bias { "" } else { "_nobias" };
        let folded = if self.linear.batch_norm { "_bn" } else { "" };
        let activation = format!("{:?}", self.linear.activation).to_lowercase();
        let name = format!(
            "conv2d/{kh}x{kw}{step}_{padding}_{h}x{w}_c{}_o{}_n{}_{activation}{bias}{folded}",
            self.c_in, self.c_out, self.n
        );
        let chain = Chain::new(name, Shape::Map { h, w, c: self.c_in });
        let window = chain.window(self.kernel, self.stride, self.padding);
        chain.conv2d(self.c_out, window, self.linear).case(self.n)
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        [sizes(), channels(), images(), windows(), epilogues(), large()].concat().into_iter().map(Spec::case).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases.dedup_by(|a, b| a.name == b.name);
    cases
}

/// Map and batch sizes around the edges of 2x2, 4x4 and wider tiles.
fn sizes() -> Vec<Spec> {
    let sizes = [[1, 1], [1, 9], [2, 2], [3, 4], [5, 7], [8, 8], [13, 17], [14, 14], [15, 15], [28, 28]];
    let mut specs: Vec<Spec> =
        sizes.iter().map(|&size| Spec { size, c_in: 4, c_out: 8, linear: RELU, ..BASE }).collect();
    for n in [1, 2, 7, 8] {
        specs.push(Spec { size: [14, 14], c_in: 16, c_out: 64, n, ..BASE });
        specs.push(Spec { n, ..BASE });
        specs.push(Spec { size: [7, 7], kernel: [1, 1], n, ..BASE });
    }
    specs
}

/// Channel counts that are and are not multiples of 4, 8 and 16.
fn channels() -> Vec<Spec> {
    let mut specs = Vec::new();
    for c_in in [1, 3, 4, 5, 16, 64] {
        for c_out in [1, 3, 8, 10, 64, 100] {
            specs.push(Spec { size: [5, 7], c_in, c_out, ..BASE });
        }
    }
    specs
}

/// As the first convolution of a network: few input channels, and maps of even width.
fn images() -> Vec<Spec> {
    let mut specs = Vec::new();
    for size in [[1, 2], [5, 6], [13, 18], [32, 32]] {
        for c_in in [1, 2, 3] {
            for c_out in [3, 10] {
                specs.push(Spec { size, c_in, c_out, ..BASE });
            }
        }
    }
    specs
}

/// Kernels, strides and paddings, kernels and strides larger than the map among them.
fn windows() -> Vec<Spec> {
    let mut specs = Vec::new();
    for kernel in [[1, 1], [2, 2], [3, 3], [5, 5], [7, 7], [3, 5]] {
        for stride in [[1, 1], [2, 2], [3, 3], [1, 2]] {
            for padding in [Padding::Same, Padding::Valid] {
                specs.push(Spec { kernel, stride, padding, ..BASE });
            }
        }
        specs.push(Spec { size: [2, 3], kernel, ..BASE });
    }
    for padding in [Padding::Same, Padding::Valid] {
        specs.push(Spec { stride: [1_000_000_000; 2], padding, ..BASE });
        specs.push(Spec { stride: [20, 16], padding, ..BASE });
    }
    specs.push(Spec { size: [3, 3], padding: Padding::Valid, ..BASE });
    specs.push(Spec { size: [4, 6], padding: Padding::Valid, n: 3, ..BASE });
    specs
}

/// Bias, folded normalisation and activations, on the 3x3 stride 1 path and on the general one.
fn epilogues() -> Vec<Spec> {
    let mut specs = Vec::new();
    for activation in [Activation::Linear, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
        for (bias, batch_norm) in [(true, false), (false, false), (true, true), (false, true)] {
            let linear = Linear { activation, bias, batch_norm };
            specs.push(Spec { size: [6, 9], c_in: 8, linear, ..BASE });
            specs.push(Spec { size: [6, 9], stride: [2, 2], linear, ..BASE });
        }
    }
    specs
}

/// Long sums, more tiles than one block of a blocked implementation holds, and transformed kernels of more than one upload.
fn large() -> Vec<Spec> {
    vec![
        Spec { size: [14, 14], c_in: 512, c_out: 64, linear: RELU, n: 1, ..BASE },
        Spec { size: [7, 7], c_in: 256, c_out: 256, linear: RELU, n: 1, ..BASE },
        Spec { size: [4, 4], c_in: 512, c_out: 256, linear: RELU, n: 1, ..BASE },
        Spec { size: [28, 28], c_in: 64, c_out: 100, linear: RELU, n: 1, ..BASE },
        Spec { size: [61, 50], c_in: 16, c_out: 16, linear: RELU, n: 2, ..BASE },
        Spec { size: [61, 50], c_in: 3, c_out: 64, linear: RELU, n: 2, ..BASE },
        Spec { size: [61, 50], c_in: 3, c_out: 16, kernel: [7, 7], stride: [2, 2], linear: RELU, ..BASE },
    ]
}
