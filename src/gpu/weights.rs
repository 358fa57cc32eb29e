//! Weights in the texels that shaders read them from.

use super::context::Context;
use super::uploads::Uploads;
use crate::Result;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{BatchNorm, Op, Preprocess, winograd};
use crate::plan::{Shader, Weights};

/// What the dispatches of one step share: a kernel and values for each output channel.
pub enum StepWeights {
    /// Of a convolution or dense layer.
    Linear(LinearWeights),
    /// Values for `channels`, nothing else.
    Channels(Vec<f32>),
    /// None.
    Nothing,
    /// Zeros, for measuring: a kernel where the op has one, and channels.
    Zeros { channels: usize },
}

impl StepWeights {
    /// Reads what `op` needs.
    pub fn load(op: &Op) -> Result<StepWeights> {
        Ok(match op {
            Op::Conv2d(op) => StepWeights::Linear(op.load()?),
            Op::Dense(op) => StepWeights::Linear(op.load()?),
            Op::BatchNorm(op) => StepWeights::Channels(scale_and_shift(op)?),
            Op::Pool2d(_) | Op::ZeroPad2d(_) | Op::Flatten | Op::Activation(_) | Op::Softmax => StepWeights::Nothing,
        })
    }

    /// As many zeros as `op` needs values.
    pub fn zeros(op: &Op) -> StepWeights {
        match op {
            Op::Conv2d(op) => StepWeights::Zeros { channels: op.c_out },
            Op::Dense(op) => StepWeights::Zeros { channels: op.units },
            Op::BatchNorm(op) => StepWeights::Channels(vec![0.0; 2 * op.channels.next_multiple_of(4)]),
            Op::Pool2d(_) | Op::ZeroPad2d(_) | Op::Flatten | Op::Activation(_) | Op::Softmax => StepWeights::Nothing,
        }
    }

    /// The values of `channels` for the output channels in `quads` (first and number), or all.
    pub fn channels(&self, quads: Option<[usize; 2]>) -> Vec<f32> {
        match self {
            StepWeights::Linear(weights) => {
                let [first, count] = quads.unwrap_or([0, weights.bias.len().div_ceil(4)]);
                let value = |channel: usize| weights.bias.get(channel).copied().unwrap_or(0.0);
                (4 * first..4 * (first + count)).map(value).collect()
            }
            StepWeights::Channels(values) => values.clone(),
            StepWeights::Zeros { channels } => vec![0.0; channels.next_multiple_of(4)],
            StepWeights::Nothing => unreachable!("only shaders of ops with values for channels read any"),
        }
    }

    /// Uploads the part of the kernel that `part` describes.
    pub fn upload(
        &self,
        context: &Context,
        uploads: &mut Uploads<'_>,
        shader: Shader,
        part: Weights,
        label: &str,
    ) -> Result<wgpu::Texture> {
        let texture = context.texture(label, part.size);
        let weights = match self {
            StepWeights::Linear(weights) => weights,
            StepWeights::Zeros { .. } => return Ok(texture),
            StepWeights::Channels(_) | StepWeights::Nothing => unreachable!("only linear ops have a kernel"),
        };
        let channels = weights.bias.len();
        match shader {
            Shader::Dense | Shader::DenseSplit => upload_dense(uploads, &texture, &weights.kernel, channels, part)?,
            Shader::WinogradProduct | Shader::WinogradProductBroadcast => {
                let transformed = winograd::transform_kernel(&weights.kernel, weights.kernel.len() / 9);
                upload_conv2d(uploads, &texture, &transformed, channels, part)?;
            }
            Shader::WinogradProductTiled(_) => {
                let transformed = winograd::transform_kernel(&weights.kernel, weights.kernel.len() / 9);
                upload_taps(uploads, &texture, &transformed, channels, part)?;
            }
            Shader::Conv2dTiled(_) => upload_taps(uploads, &texture, &weights.kernel, channels, part)?,
            _ => upload_conv2d(uploads, &texture, &weights.kernel, channels, part)?,
        }
        Ok(texture)
    }
}

/// `[taps, c_in, c_out]` to a layer for each tap: rows of quads of output channels, columns of input channels.
fn upload_conv2d(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    kernel: &[f32],
    c_out: usize,
    part: Weights,
) -> Result<()> {
    let taps = part.size.layers;
    for (tap, kernel) in kernel.chunks_exact(kernel.len() / taps).enumerate() {
        let mut texels = vec![0.0; part.size.width * part.size.height * 4];
        for (i, row) in kernel.chunks_exact(c_out).enumerate() {
            for (o, &value) in row.iter().enumerate() {
                texels[(o / 4 * part.size.width + i) * 4 + o % 4] = value;
            }
        }
        uploads.write_rows(texture, tap, 0, part.size.width, &texels)?;
    }
    Ok(())
}

/// `[taps, c_in, c_out]` to a layer for each tap: rows of input channels, columns of quads of output channels.
fn upload_taps(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    kernel: &[f32],
    c_out: usize,
    part: Weights,
) -> Result<()> {
    for (tap, kernel) in kernel.chunks_exact(kernel.len() / part.size.layers).enumerate() {
        let mut texels = vec![0.0; part.size.height * part.size.width * 4];
        for (texels, row) in texels.chunks_exact_mut(part.size.width * 4).zip(kernel.chunks_exact(c_out)) {
            texels[..c_out].copy_from_slice(row);
        }
        uploads.write_rows(texture, tap, 0, part.size.width, &texels)?;
    }
    Ok(())
}

/// `[inputs, units]` to a row for each input, columns of quads of units, in as many layers as the rows need.
fn upload_dense(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    kernel: &[f32],
    units: usize,
    part: Weights,
) -> Result<()> {
    let [first, count] = part.quads;
    let columns = 4 * first..(4 * (first + count)).min(units);
    for (layer, kernel) in kernel.chunks(part.size.height * units).enumerate() {
        let mut texels = vec![0.0; part.size.height * part.size.width * 4];
        for (texels, row) in texels.chunks_exact_mut(part.size.width * 4).zip(kernel.chunks_exact(units)) {
            texels[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
        uploads.write_rows(texture, layer, 0, part.size.width, &texels)?;
    }
    Ok(())
}

/// `scale` filled up to whole quads, then `shift`.
fn scale_and_shift(op: &BatchNorm) -> Result<Vec<f32>> {
    let affine = op.load()?;
    let filled = op.channels.next_multiple_of(4);
    let fill = |values: &[f64]| {
        let mut values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        values.resize(filled, 0.0);
        values
    };
    Ok([fill(&affine.scale), fill(&affine.shift)].concat())
}

/// The channels' sources and tables, as `preprocess.wgsl` reads them.
pub fn preprocess_table(preprocess: &Preprocess) -> Vec<f32> {
    let sources = preprocess.source.map(|source| source as f32);
    sources.into_iter().chain([0.0]).chain(preprocess.table.into_iter().flatten()).collect()
}
