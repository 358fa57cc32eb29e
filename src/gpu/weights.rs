//! Weights in the texels that shaders read them from.

use std::collections::HashMap;
use std::iter::once;

use super::context::Context;
use super::uploads::Uploads;
use crate::Result;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{self, BatchNorm, Op, Preprocess};
use crate::plan::{DENSE_GROUP_QUADS, Dispatch, Shader, TextureSize, Weights};

/// What the dispatches of one step share: a kernel and values for each output channel.
pub enum StepWeights {
    /// Of a convolution.
    Conv2d(LinearWeights),
    /// Of a dense layer, whose kernel is read while it is uploaded: VGG16's first has 411 MB.
    Dense { op: Box<ops::Dense>, bias: Vec<f32> },
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
            Op::Conv2d(op) => StepWeights::Conv2d(op.load()?),
            Op::Dense(op) => StepWeights::Dense { op: Box::new(op.clone()), bias: op.load_bias()? },
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
            StepWeights::Conv2d(LinearWeights { bias, .. }) | StepWeights::Dense { bias, .. } => {
                let [first, count] = quads.unwrap_or([0, bias.len().div_ceil(4)]);
                (4 * first..4 * (first + count)).map(|channel| bias.get(channel).copied().unwrap_or(0.0)).collect()
            }
            StepWeights::Channels(values) => values.clone(),
            StepWeights::Zeros { channels } => vec![0.0; channels.next_multiple_of(4)],
            StepWeights::Nothing => unreachable!("only shaders of ops with values for channels read any"),
        }
    }

    /// Uploads the parts of the kernel that `dispatches` read, each once.
    pub fn upload<'a>(
        &self,
        context: &Context,
        uploads: &mut Uploads<'_>,
        dispatches: impl Iterator<Item = &'a Dispatch>,
        label: &str,
    ) -> Result<HashMap<Weights, wgpu::Texture>> {
        let mut textures = HashMap::new();
        for dispatch in dispatches {
            let Some(part) = dispatch.weights.filter(|part| !textures.contains_key(part)) else { continue };
            let texture = context.texture(label, part.size);
            if let StepWeights::Conv2d(weights) = self {
                upload_conv2d(uploads, &texture, weights, dispatch.shader, part)?;
            }
            textures.insert(part, texture);
        }
        if let StepWeights::Dense { op, .. } = self {
            upload_dense(uploads, &textures, op)?;
        }
        Ok(textures)
    }
}

/// A kernel, or its transform, with a layer for each tap or frequency.
fn upload_conv2d(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    weights: &LinearWeights,
    shader: Shader,
    part: Weights,
) -> Result<()> {
    let mut scratch = uploads.take_scratch();
    let kernel = match part.transform {
        Some(filtering) => {
            filtering.transform_kernel(&weights.kernel, &mut scratch);
            &scratch
        }
        None => &weights.kernel,
    };
    let channels = weights.bias.len();
    for (layer, kernel) in kernel.chunks_exact(kernel.len() / part.size.layers).enumerate() {
        match shader {
            Shader::WinogradProductTiled(_) | Shader::Conv2dTiled(_) => {
                upload_rows(uploads, texture, layer, kernel, channels, part)?
            }
            _ => upload_columns(uploads, texture, layer, kernel, channels, part)?,
        }
    }
    uploads.return_scratch(scratch);
    Ok(())
}

/// `[c_in, c_out]` to rows of quads of output channels, columns of input channels.
fn upload_columns(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    layer: usize,
    kernel: &[f32],
    c_out: usize,
    part: Weights,
) -> Result<()> {
    let TextureSize { width, height, .. } = part.size;
    let mut texels = vec![0.0; width * height * 4];
    for (i, row) in kernel.chunks_exact(c_out).enumerate() {
        for (o, &value) in row.iter().enumerate() {
            texels[(o / 4 * width + i) * 4 + o % 4] = value;
        }
    }
    uploads.write_layer(texture, layer, [width, height], |row| once(&texels[row * width * 4..][..width * 4]))
}

/// `[c_in, c_out]` to rows of input channels, columns of quads of output channels.
fn upload_rows(
    uploads: &mut Uploads<'_>,
    texture: &wgpu::Texture,
    layer: usize,
    kernel: &[f32],
    c_out: usize,
    part: Weights,
) -> Result<()> {
    let row = |row: usize| once(kernel.chunks_exact(c_out).nth(row).unwrap_or_default());
    uploads.write_layer(texture, layer, [part.size.width, part.size.height], row)
}

/// `[inputs, units]` to a row for each group of units, which has the group's weights of one input after the other, in as
/// many layers as the inputs need. All parts are as wide, and filled at once from each part of the kernel that is read.
fn upload_dense(uploads: &mut Uploads<'_>, parts: &HashMap<Weights, wgpu::Texture>, op: &ops::Dense) -> Result<()> {
    const UNITS: usize = 4 * DENSE_GROUP_QUADS;
    let zeros = [0.0; UNITS];
    let Some(width) = parts.keys().map(|part| part.size.width).max() else { return Ok(()) };
    let mut layer = 0;
    op.load_rows(width / DENSE_GROUP_QUADS, &mut |kernel| {
        for (part, texture) in parts {
            let row = |row: usize| {
                let first = (4 * part.quads[0] + row * UNITS).min(op.units);
                let units = first..(first + UNITS).min(op.units);
                let missing = &zeros[units.len()..];
                kernel.chunks_exact(op.units).flat_map(move |input| [&input[units.clone()], missing])
            };
            uploads.write_layer(texture, layer, [width, part.size.height], row)?;
        }
        layer += 1;
        Ok(())
    })
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
