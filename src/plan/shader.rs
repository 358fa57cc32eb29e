//! The shaders there are.

use std::fmt;

use super::tile::Tile;
use crate::ops::winograd::Filtering;

/// A shader, by the stem of its file, and the size of the tiles that it is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    Activation,
    BatchNorm,
    Conv2d,
    Conv2d3x3,
    Conv2d3x3Broadcast,
    Conv2dImage,
    Conv2dTiled(Tile),
    Dense,
    DenseBroadcast,
    DenseSplit,
    Flatten,
    Pool2d,
    Preprocess,
    Softmax,
    WinogradInput(Filtering),
    WinogradOutput(Filtering),
    /// With a max pool behind it.
    WinogradOutputPooled(Filtering),
    WinogradProduct,
    WinogradProductBroadcast,
    /// The same, of at most half a block of tiles.
    WinogradProductHalf,
    WinogradProductTiled(Tile),
    ZeroPad2d,
}

/// Where the texels are that a shader reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Texels {
    /// In textures.
    Textures,
    /// In textures; the output is written by a buffer that has its memory.
    Aliased,
    /// In buffers.
    Buffers,
}

impl Texels {
    pub const ALL: [Texels; 3] = [Texels::Textures, Texels::Aliased, Texels::Buffers];
}

impl Shader {
    /// Every shader there is, with every tile.
    pub fn all() -> Vec<Shader> {
        let mut all = vec![
            Shader::Activation,
            Shader::BatchNorm,
            Shader::Conv2d,
            Shader::Conv2d3x3,
            Shader::Conv2d3x3Broadcast,
            Shader::Conv2dImage,
            Shader::Dense,
            Shader::DenseBroadcast,
            Shader::DenseSplit,
            Shader::Flatten,
            Shader::Pool2d,
            Shader::Preprocess,
            Shader::Softmax,
            Shader::WinogradInput(Filtering::F4),
            Shader::WinogradInput(Filtering::F7),
            Shader::WinogradOutput(Filtering::F4),
            Shader::WinogradOutput(Filtering::F7),
            Shader::WinogradOutputPooled(Filtering::F4),
            Shader::WinogradOutputPooled(Filtering::F7),
            Shader::WinogradProduct,
            Shader::WinogradProductBroadcast,
            Shader::WinogradProductHalf,
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
            Shader::Conv2d3x3 | Shader::Conv2d3x3Broadcast => "conv2d_3x3",
            Shader::Conv2dImage => "conv2d_image",
            Shader::Conv2dTiled(_) => "conv2d_tiled",
            Shader::Dense | Shader::DenseBroadcast => "dense",
            Shader::DenseSplit => "dense_split",
            Shader::Flatten => "flatten",
            Shader::Pool2d => "pool2d",
            Shader::Preprocess => "preprocess",
            Shader::Softmax => "softmax",
            Shader::WinogradInput(_) => "winograd_input",
            Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => "winograd_output",
            Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => {
                "winograd_product"
            }
            Shader::WinogradProductTiled(_) => "winograd_product_tiled",
            Shader::ZeroPad2d => "zero_pad2d",
        }
    }

    /// Whether it is for adapters alone whose threads hand values to each other: rasterisers. The transforms of F7 need more
    /// registers than hardware has.
    pub fn needs_broadcasts(self) -> bool {
        match self {
            Shader::Conv2d3x3Broadcast | Shader::Conv2dImage | Shader::DenseBroadcast => true,
            Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => true,
            Shader::WinogradInput(filtering) => filtering == Filtering::F7,
            Shader::WinogradOutput(filtering) | Shader::WinogradOutputPooled(filtering) => filtering == Filtering::F7,
            _ => false,
        }
    }

    /// Whether it reads `channels`: a bias, or other values for each channel.
    pub fn reads_channels(self) -> bool {
        match self {
            Shader::BatchNorm => true,
            Shader::Conv2d | Shader::Conv2d3x3 | Shader::Conv2d3x3Broadcast => true,
            Shader::Conv2dTiled(_) => true,
            Shader::Dense | Shader::DenseBroadcast | Shader::DenseSplit => true,
            Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => true,
            Shader::Activation | Shader::Flatten | Shader::Pool2d | Shader::Softmax | Shader::ZeroPad2d => false,
            Shader::Conv2dImage | Shader::Preprocess => false,
            Shader::WinogradInput(_) | Shader::WinogradProductTiled(_) => false,
            Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => false,
        }
    }

    /// Whether it reads another step's output; the other reads pixels.
    fn reads_input(self) -> bool {
        self != Shader::Preprocess
    }

    /// Whether it reads a kernel, or a table.
    fn reads_weights(self) -> bool {
        match self {
            Shader::Conv2d | Shader::Conv2d3x3 | Shader::Conv2d3x3Broadcast | Shader::Conv2dImage => true,
            Shader::Conv2dTiled(_) | Shader::WinogradProductTiled(_) => true,
            Shader::Dense | Shader::DenseBroadcast | Shader::DenseSplit => true,
            Shader::Preprocess => true,
            Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => true,
            Shader::Activation | Shader::BatchNorm | Shader::Flatten | Shader::Pool2d | Shader::Softmax => false,
            Shader::WinogradInput(_) | Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => false,
            Shader::ZeroPad2d => false,
        }
    }

    /// Whether the last layer of its weights is the bias.
    pub fn has_bias_in_weights(self) -> bool {
        self == Shader::Conv2dImage
    }

    /// Whether its threads, alone or with their neighbours, store two texels beside each other at once.
    fn stores_pairs(self) -> bool {
        let product = [Shader::WinogradProduct, Shader::WinogradProductBroadcast, Shader::WinogradProductHalf];
        matches!(self, Shader::Conv2dImage | Shader::WinogradInput(_)) || product.contains(&self)
    }

    /// What several shaders share, this one among them.
    fn parts(self) -> &'static [&'static str] {
        const CONV2D: &str = include_str!("../../shaders/parts/conv2d.wgsl");
        const CONV2D_STORE: &str = include_str!("../../shaders/parts/conv2d_store.wgsl");
        const SPECTRA: &str = include_str!("../../shaders/parts/spectra.wgsl");
        const KERNELS: &str = include_str!("../../shaders/parts/kernels.wgsl");
        const KERNELS_BROADCAST: &str = include_str!("../../shaders/parts/kernels_broadcast.wgsl");
        const KERNEL_PAIR: &str = include_str!("../../shaders/parts/kernel_pair.wgsl");
        const KERNEL_PAIR_BROADCAST: &str = include_str!("../../shaders/parts/kernel_pair_broadcast.wgsl");
        const HAND_OUT: &str = include_str!("../../shaders/parts/hand_out.wgsl");
        const KERNEL: &str = include_str!("../../shaders/parts/kernel.wgsl");
        const PIXEL: &str = include_str!("../../shaders/parts/pixel.wgsl");
        const FORWARD_4: &str = include_str!("../../shaders/parts/forward_4.wgsl");
        const FORWARD_7: &str = include_str!("../../shaders/parts/forward_7.wgsl");
        const INVERSE_4: &str = include_str!("../../shaders/parts/inverse_4.wgsl");
        const INVERSE_7: &str = include_str!("../../shaders/parts/inverse_7.wgsl");
        const TILE_WHOLE_4: &str = include_str!("../../shaders/parts/tile_whole_4.wgsl");
        const TILE_WHOLE_7: &str = include_str!("../../shaders/parts/tile_whole_7.wgsl");
        const TILE_POOLED_4: &str = include_str!("../../shaders/parts/tile_pooled_4.wgsl");
        const TILE_POOLED_7: &str = include_str!("../../shaders/parts/tile_pooled_7.wgsl");
        const DENSE: &str = include_str!("../../shaders/parts/dense.wgsl");
        const SAMPLES: &str = include_str!("../../shaders/parts/samples.wgsl");
        const SAMPLES_BROADCAST: &str = include_str!("../../shaders/parts/samples_broadcast.wgsl");
        const TILES_32: &str = include_str!("../../shaders/parts/tiles_32.wgsl");
        const TILES_64: &str = include_str!("../../shaders/parts/tiles_64.wgsl");
        const TILE: &str = include_str!("../../shaders/parts/tile.wgsl");
        match self {
            Shader::Conv2d => &[CONV2D, CONV2D_STORE, KERNEL, PIXEL],
            Shader::Conv2d3x3 => &[CONV2D, CONV2D_STORE, KERNEL, KERNEL_PAIR, PIXEL],
            Shader::Conv2d3x3Broadcast => &[CONV2D, CONV2D_STORE, HAND_OUT, KERNEL_PAIR_BROADCAST, PIXEL],
            Shader::Conv2dImage => &[CONV2D, HAND_OUT, KERNEL_PAIR_BROADCAST, PIXEL],
            Shader::Conv2dTiled(_) => &[TILE, PIXEL],
            Shader::Dense => &[DENSE, SAMPLES],
            Shader::DenseBroadcast => &[DENSE, SAMPLES_BROADCAST],
            Shader::DenseSplit => &[DENSE],
            Shader::WinogradInput(Filtering::F4) => &[SPECTRA, PIXEL, FORWARD_4],
            Shader::WinogradInput(Filtering::F7) => &[SPECTRA, PIXEL, FORWARD_7],
            Shader::WinogradOutput(Filtering::F4) => &[SPECTRA, INVERSE_4, TILE_WHOLE_4],
            Shader::WinogradOutput(Filtering::F7) => &[SPECTRA, INVERSE_7, TILE_WHOLE_7],
            Shader::WinogradOutputPooled(Filtering::F4) => &[SPECTRA, INVERSE_4, TILE_POOLED_4],
            Shader::WinogradOutputPooled(Filtering::F7) => &[SPECTRA, INVERSE_7, TILE_POOLED_7],
            Shader::WinogradProduct => &[SPECTRA, KERNELS, TILES_64],
            Shader::WinogradProductBroadcast => &[SPECTRA, HAND_OUT, KERNELS_BROADCAST, TILES_64],
            Shader::WinogradProductHalf => &[SPECTRA, HAND_OUT, KERNELS_BROADCAST, TILES_32],
            Shader::WinogradProductTiled(_) => &[SPECTRA, TILE],
            _ => &[],
        }
    }

    /// How it loads and stores texels.
    fn access(self, texels: Texels) -> Vec<&'static str> {
        const PITCHES: &str = include_str!("../../shaders/parts/pitches.wgsl");
        const INPUT_TEXTURE: &str = include_str!("../../shaders/parts/input_texture.wgsl");
        const INPUT_BUFFER: &str = include_str!("../../shaders/parts/input_buffer.wgsl");
        const WEIGHTS_TEXTURE: &str = include_str!("../../shaders/parts/weights_texture.wgsl");
        const WEIGHTS_BUFFER: &str = include_str!("../../shaders/parts/weights_buffer.wgsl");
        const OUTPUT_TEXTURE: &str = include_str!("../../shaders/parts/output_texture.wgsl");
        const OUTPUT_BUFFER: &str = include_str!("../../shaders/parts/output_buffer.wgsl");
        const OUTPUT_EACH: &str = include_str!("../../shaders/parts/output_each.wgsl");
        const OUTPUT_ALIASED: &str = include_str!("../../shaders/parts/output_aliased.wgsl");
        const OUTPUT_ALIASED_PAIRS: &str = include_str!("../../shaders/parts/output_aliased_pairs.wgsl");
        let [input, weights] = match texels {
            Texels::Textures | Texels::Aliased => [INPUT_TEXTURE, WEIGHTS_TEXTURE],
            Texels::Buffers => [INPUT_BUFFER, WEIGHTS_BUFFER],
        };
        let mut access = match texels {
            Texels::Textures => vec![OUTPUT_TEXTURE, OUTPUT_EACH],
            Texels::Aliased if self.stores_pairs() => vec![PITCHES, OUTPUT_ALIASED_PAIRS],
            Texels::Aliased => vec![PITCHES, OUTPUT_ALIASED],
            Texels::Buffers => vec![PITCHES, OUTPUT_BUFFER, OUTPUT_EACH],
        };
        access.extend(self.reads_input().then_some(input));
        access.extend(self.reads_weights().then_some(weights));
        access
    }

    /// The WGSL text, with what it shares with other shaders before it.
    pub fn source(self, texels: Texels) -> String {
        let text = match self {
            Shader::Activation => include_str!("../../shaders/activation.wgsl"),
            Shader::BatchNorm => include_str!("../../shaders/batch_norm.wgsl"),
            Shader::Conv2d => include_str!("../../shaders/conv2d.wgsl"),
            Shader::Conv2d3x3 | Shader::Conv2d3x3Broadcast => include_str!("../../shaders/conv2d_3x3.wgsl"),
            Shader::Conv2dImage => include_str!("../../shaders/conv2d_image.wgsl"),
            Shader::Conv2dTiled(_) => include_str!("../../shaders/conv2d_tiled.wgsl"),
            Shader::Dense | Shader::DenseBroadcast => include_str!("../../shaders/dense.wgsl"),
            Shader::DenseSplit => include_str!("../../shaders/dense_split.wgsl"),
            Shader::Flatten => include_str!("../../shaders/flatten.wgsl"),
            Shader::Pool2d => include_str!("../../shaders/pool2d.wgsl"),
            Shader::Preprocess => include_str!("../../shaders/preprocess.wgsl"),
            Shader::Softmax => include_str!("../../shaders/softmax.wgsl"),
            Shader::WinogradInput(_) => include_str!("../../shaders/winograd_input.wgsl"),
            Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => {
                include_str!("../../shaders/winograd_output.wgsl")
            }
            Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => {
                include_str!("../../shaders/winograd_product.wgsl")
            }
            Shader::WinogradProductTiled(_) => include_str!("../../shaders/winograd_product_tiled.wgsl"),
            Shader::ZeroPad2d => include_str!("../../shaders/zero_pad2d.wgsl"),
        };
        let constants = self.tile().map_or_else(String::new, Tile::constants);
        let common = [constants.as_str(), include_str!("../../shaders/common.wgsl")];
        [&common, &self.access(texels)[..], self.parts(), &[text]].concat().join("\n")
    }
}

impl fmt::Display for Shader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Shader::WinogradInput(filtering) | Shader::WinogradOutput(filtering) => write!(f, " {filtering}"),
            Shader::WinogradOutputPooled(filtering) => write!(f, " {filtering} pooled"),
            Shader::Conv2d3x3Broadcast | Shader::DenseBroadcast | Shader::WinogradProductBroadcast => {
                f.write_str(" broadcast")
            }
            Shader::WinogradProductHalf => f.write_str(" broadcast, half a block"),
            _ => self.tile().map_or(Ok(()), |tile| write!(f, " {tile}")),
        }
    }
}
