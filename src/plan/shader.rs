//! The shaders there are.

use std::fmt;

use super::tile::Tile;

/// A shader, by the stem of its file, and the tile that it is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    Activation,
    BatchNorm,
    Conv2d,
    Conv2d3x3,
    Conv2dTiled(Tile),
    Dense,
    DenseSplit,
    Flatten,
    Pool2d,
    Preprocess,
    Softmax,
    WinogradInput,
    WinogradOutput,
    WinogradOutputPooled,
    WinogradProduct,
    WinogradProductBroadcast,
    WinogradProductTiled(Tile),
    ZeroPad2d,
}

impl Shader {
    /// Every shader there is, with every tile.
    pub fn all() -> Vec<Shader> {
        let mut all = vec![
            Shader::Activation,
            Shader::BatchNorm,
            Shader::Conv2d,
            Shader::Conv2d3x3,
            Shader::Dense,
            Shader::DenseSplit,
            Shader::Flatten,
            Shader::Pool2d,
            Shader::Preprocess,
            Shader::Softmax,
            Shader::WinogradInput,
            Shader::WinogradOutput,
            Shader::WinogradOutputPooled,
            Shader::WinogradProduct,
            Shader::WinogradProductBroadcast,
            Shader::ZeroPad2d,
        ];
        all.extend(
            Tile::ALL.into_iter().flat_map(|tile| [Shader::Conv2dTiled(tile), Shader::WinogradProductTiled(tile)]),
        );
        all.sort();
        all
    }

    /// The tile that it is compiled for, where it has one.
    pub fn tile(self) -> Option<Tile> {
        match self {
            Shader::Conv2dTiled(tile) | Shader::WinogradProductTiled(tile) => Some(tile),
            _ => None,
        }
    }

    /// The file's stem.
    pub fn name(self) -> &'static str {
        match self {
            Shader::Activation => "activation",
            Shader::BatchNorm => "batch_norm",
            Shader::Conv2d => "conv2d",
            Shader::Conv2d3x3 => "conv2d_3x3",
            Shader::Conv2dTiled(_) => "conv2d_tiled",
            Shader::Dense => "dense",
            Shader::DenseSplit => "dense_split",
            Shader::Flatten => "flatten",
            Shader::Pool2d => "pool2d",
            Shader::Preprocess => "preprocess",
            Shader::Softmax => "softmax",
            Shader::WinogradInput => "winograd_input",
            Shader::WinogradOutput | Shader::WinogradOutputPooled => "winograd_output",
            Shader::WinogradProduct | Shader::WinogradProductBroadcast => "winograd_product",
            Shader::WinogradProductTiled(_) => "winograd_product_tiled",
            Shader::ZeroPad2d => "zero_pad2d",
        }
    }

    /// Whether it reads `channels`: a bias, or other values for each channel.
    pub fn reads_channels(self) -> bool {
        use Shader::{BatchNorm, Conv2d, Conv2d3x3, Conv2dTiled, Dense, DenseSplit, Preprocess};
        use Shader::{WinogradOutput, WinogradOutputPooled};
        matches!(self, BatchNorm | Conv2d | Conv2d3x3 | Conv2dTiled(_) | Dense | DenseSplit | Preprocess)
            || matches!(self, WinogradOutput | WinogradOutputPooled)
    }

    /// What several shaders share, this one among them.
    fn parts(self) -> &'static [&'static str] {
        const CONV2D: &str = include_str!("../../shaders/parts/conv2d.wgsl");
        const SPECTRA: &str = include_str!("../../shaders/parts/spectra.wgsl");
        const KERNELS: &str = include_str!("../../shaders/parts/kernels.wgsl");
        const KERNELS_BROADCAST: &str = include_str!("../../shaders/parts/kernels_broadcast.wgsl");
        const KERNEL: &str = include_str!("../../shaders/parts/kernel.wgsl");
        const PIXEL: &str = include_str!("../../shaders/parts/pixel.wgsl");
        const TILE_WHOLE: &str = include_str!("../../shaders/parts/tile_whole.wgsl");
        const TILE_POOLED: &str = include_str!("../../shaders/parts/tile_pooled.wgsl");
        const TILE: &str = include_str!("../../shaders/parts/tile.wgsl");
        match self {
            Shader::Conv2d | Shader::Conv2d3x3 => &[CONV2D, KERNEL, PIXEL],
            Shader::Conv2dTiled(_) => &[TILE, PIXEL],
            Shader::WinogradInput => &[SPECTRA, PIXEL],
            Shader::WinogradOutput => &[SPECTRA, TILE_WHOLE],
            Shader::WinogradOutputPooled => &[SPECTRA, TILE_POOLED],
            Shader::WinogradProduct => &[SPECTRA, KERNEL, KERNELS],
            Shader::WinogradProductBroadcast => &[SPECTRA, KERNELS_BROADCAST],
            Shader::WinogradProductTiled(_) => &[SPECTRA, TILE],
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
            Shader::Conv2dTiled(_) => include_str!("../../shaders/conv2d_tiled.wgsl"),
            Shader::Dense => include_str!("../../shaders/dense.wgsl"),
            Shader::DenseSplit => include_str!("../../shaders/dense_split.wgsl"),
            Shader::Flatten => include_str!("../../shaders/flatten.wgsl"),
            Shader::Pool2d => include_str!("../../shaders/pool2d.wgsl"),
            Shader::Preprocess => include_str!("../../shaders/preprocess.wgsl"),
            Shader::Softmax => include_str!("../../shaders/softmax.wgsl"),
            Shader::WinogradInput => include_str!("../../shaders/winograd_input.wgsl"),
            Shader::WinogradOutput | Shader::WinogradOutputPooled => include_str!("../../shaders/winograd_output.wgsl"),
            Shader::WinogradProduct | Shader::WinogradProductBroadcast => {
                include_str!("../../shaders/winograd_product.wgsl")
            }
            Shader::WinogradProductTiled(_) => include_str!("../../shaders/winograd_product_tiled.wgsl"),
            Shader::ZeroPad2d => include_str!("../../shaders/zero_pad2d.wgsl"),
        };
        let constants = self.tile().map_or_else(String::new, Tile::constants);
        let common = [constants.as_str(), include_str!("../../shaders/common.wgsl")];
        [&common, self.parts(), &[text]].concat().join("\n")
    }
}

impl fmt::Display for Shader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Shader::WinogradOutputPooled => f.write_str(" pooled"),
            Shader::WinogradProductBroadcast => f.write_str(" broadcast"),
            _ => self.tile().map_or(Ok(()), |tile| write!(f, " {tile}")),
        }
    }
}
