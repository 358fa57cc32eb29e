//! The shaders there are.

/// A shader, by the stem of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    Activation,
    BatchNorm,
    Conv2d,
    Conv2d3x3,
    Dense,
    Flatten,
    Pool2d,
    Preprocess,
    Softmax,
    WinogradInput,
    WinogradOutput,
    WinogradProduct,
    ZeroPad2d,
}

impl Shader {
    pub const ALL: [Shader; 13] = [
        Shader::Activation,
        Shader::BatchNorm,
        Shader::Conv2d,
        Shader::Conv2d3x3,
        Shader::Dense,
        Shader::Flatten,
        Shader::Pool2d,
        Shader::Preprocess,
        Shader::Softmax,
        Shader::WinogradInput,
        Shader::WinogradOutput,
        Shader::WinogradProduct,
        Shader::ZeroPad2d,
    ];

    /// The file's stem.
    pub fn name(self) -> &'static str {
        match self {
            Shader::Activation => "activation",
            Shader::BatchNorm => "batch_norm",
            Shader::Conv2d => "conv2d",
            Shader::Conv2d3x3 => "conv2d_3x3",
            Shader::Dense => "dense",
            Shader::Flatten => "flatten",
            Shader::Pool2d => "pool2d",
            Shader::Preprocess => "preprocess",
            Shader::Softmax => "softmax",
            Shader::WinogradInput => "winograd_input",
            Shader::WinogradOutput => "winograd_output",
            Shader::WinogradProduct => "winograd_product",
            Shader::ZeroPad2d => "zero_pad2d",
        }
    }

    /// Whether it reads `channels`: a bias, or other values for each channel.
    pub fn reads_channels(self) -> bool {
        use Shader::{BatchNorm, Conv2d, Conv2d3x3, Dense, Preprocess, WinogradOutput};
        matches!(self, BatchNorm | Conv2d | Conv2d3x3 | Dense | Preprocess | WinogradOutput)
    }

    /// What several shaders share, this one among them.
    fn parts(self) -> &'static [&'static str] {
        const CONV2D: &str = include_str!("../../shaders/parts/conv2d.wgsl");
        const KERNEL: &str = include_str!("../../shaders/parts/kernel.wgsl");
        const PIXEL: &str = include_str!("../../shaders/parts/pixel.wgsl");
        match self {
            Shader::Conv2d | Shader::Conv2d3x3 => &[CONV2D, KERNEL, PIXEL],
            Shader::WinogradInput => &[PIXEL],
            Shader::WinogradProduct => &[KERNEL],
            _ => &[],
        }
    }

    /// The WGSL text, with what it shares with other shaders before it.
    pub fn source(self) -> String {
        let text = match self {
            Shader::Activation => include_str!("../../shaders/activation.wgsl"),
            Shader::BatchNorm => include_str!("../../shaders/batch_norm.wgsl"),
            Shader::Conv2d => include_str!("../../shaders/conv2d.wgsl"),
            Shader::Conv2d3x3 => include_str!("../../shaders/conv2d_3x3.wgsl"),
            Shader::Dense => include_str!("../../shaders/dense.wgsl"),
            Shader::Flatten => include_str!("../../shaders/flatten.wgsl"),
            Shader::Pool2d => include_str!("../../shaders/pool2d.wgsl"),
            Shader::Preprocess => include_str!("../../shaders/preprocess.wgsl"),
            Shader::Softmax => include_str!("../../shaders/softmax.wgsl"),
            Shader::WinogradInput => include_str!("../../shaders/winograd_input.wgsl"),
            Shader::WinogradOutput => include_str!("../../shaders/winograd_output.wgsl"),
            Shader::WinogradProduct => include_str!("../../shaders/winograd_product.wgsl"),
            Shader::ZeroPad2d => include_str!("../../shaders/zero_pad2d.wgsl"),
        };
        [&[include_str!("../../shaders/common.wgsl")], self.parts(), &[text]].concat().join("\n")
    }
}
