//! Weights in the texels that shaders read them from.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::texture::Texture;
use super::uploads::Uploads;
use crate::Result;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{self, BatchNorm, Op, Preprocess};
use crate::plan::{DENSE_GROUP_QUADS, Dispatch, PRODUCT_GROUP_QUADS, Shader, TextureSize, Weights};

/// Units of a dense layer in a row of its weights.
const UNITS: usize = 4 * DENSE_GROUP_QUADS;

/// The parts of a step's kernel.
pub type Kernels = HashMap<Weights, Texture>;

/// What the dispatches of one step share: a kernel and values for each output channel.
pub enum StepWeights {
    /// Of a convolution.
    Conv2d(LinearWeights),
    /// Of a dense layer, whose kernel is read while it is uploaded: VGG16's first has 411 MB.
    Dense { op: Box<ops::Dense>, bias: Vec<f32> },
    /// What the levels of a pixel's bytes become.
    Preprocess(Box<Preprocess>),
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
            StepWeights::Zeros { channels } => {
                let count = quads.map_or(channels.div_ceil(4), |[_, count]| count);
                vec![0.0; 4 * count]
            }
            StepWeights::Preprocess(_) | StepWeights::Nothing => {
                unreachable!("only shaders of ops with values for channels read any")
            }
        }
    }

    /// Uploads the parts of the kernel that `dispatches` read, each once.
    pub fn upload<'a>(
        &self,
        uploads: &mut Uploads<'_>,
        dispatches: impl Iterator<Item = &'a Dispatch>,
        kernels: &mut Kernels,
    ) -> Result<()> {
        match self {
            StepWeights::Conv2d(weights) => {
                let mut done = HashSet::new();
                for dispatch in dispatches {
                    let Some(part) = dispatch.weights.filter(|&part| done.insert(part)) else { continue };
                    let texture = kernels.get_mut(&part).expect("a texture for each part");
                    upload_conv2d(uploads, texture, weights, dispatch.shader, part)?;
                }
                Ok(())
            }
            StepWeights::Dense { op, .. } => upload_dense(uploads, kernels, op),
            StepWeights::Preprocess(preprocess) => upload_levels(uploads, kernels, preprocess),
            StepWeights::Zeros { .. } => upload_zeros(uploads, kernels),
            StepWeights::Channels(_) | StepWeights::Nothing => Ok(()),
        }
    }
}

/// A kernel with a layer for each tap, or its transform with one for each frequency; where a shader has it with the weights,
/// the bias as if it were one more tap, of one input channel.
fn upload_conv2d(
    uploads: &mut Uploads<'_>,
    texture: &mut Texture,
    weights: &LinearWeights,
    shader: Shader,
    Weights { size, transform, .. }: Weights,
) -> Result<()> {
    let (kernel, c_out) = (&weights.kernel, weights.bias.len());
    if let Some(filtering) = transform {
        return uploads.write(texture, 0..size.layers, size, |row, frequencies| {
            filtering.transform_kernel(kernel, spans(shader, kernel.len() / 9 / c_out, c_out, row), frequencies);
        });
    }
    let bias = shader.has_bias_in_weights().then_some(weights.bias.as_slice());
    let taps = size.layers - usize::from(bias.is_some());
    for (layer, kernel) in kernel.chunks_exact(kernel.len() / taps).chain(bias).enumerate() {
        uploads.write(texture, layer..layer + 1, size, |row, layers| {
            for (at, pairs) in spans(shader, kernel.len() / c_out, c_out, row) {
                layers[0][at..][..pairs.len()].copy_from_slice(&kernel[pairs]);
            }
        })?;
    }
    Ok(())
}

/// What a row of the weights that `shader` reads has: where in the row which of the pairs of channels `[c_in, c_out]` begin.
fn spans(shader: Shader, c_in: usize, c_out: usize, row: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    const GROUP: usize = 4 * PRODUCT_GROUP_QUADS;
    let group = |size: usize| c_out.min(size * row)..c_out.min(size * (row + 1));
    // All output channels of an input channel, or a group of them for one input channel after the other.
    let (size, inputs, outputs) = match shader {
        Shader::WinogradProductTiled(_) | Shader::Conv2dTiled(_) => (0, row..c_in.min(row + 1), 0..c_out),
        Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => {
            (GROUP, 0..c_in, group(GROUP))
        }
        _ => (4, 0..c_in, group(4)),
    };
    inputs.map(move |i| (size * i, c_out * i + outputs.start..c_out * i + outputs.end))
}

/// `[inputs, units]` to a row for each group of units, which has the group's weights of one input after the other, in as
/// many layers as the inputs need. All parts are as wide, and filled at once from each part of the kernel that is read.
fn upload_dense(uploads: &mut Uploads<'_>, parts: &mut Kernels, op: &ops::Dense) -> Result<()> {
    let Some(width) = parts.keys().map(|part| part.size.width).max() else { return Ok(()) };
    let mut layer = 0;
    op.load_rows(width / DENSE_GROUP_QUADS, &mut |kernel| {
        for (part, texture) in parts.iter_mut() {
            uploads.write(texture, layer..layer + 1, TextureSize { width, ..part.size }, |group, rows| {
                gather(kernel, op.units, 4 * part.quads[0] + UNITS * group, rows[0])
            })?;
        }
        layer += 1;
        Ok(())
    })
}

/// Of each of a kernel's rows of `length`, the [`UNITS`] values from `first` on, in a row: nothing where there are none.
fn gather(kernel: &[f32], length: usize, first: usize, row: &mut [f32]) {
    let count = length.saturating_sub(first).min(UNITS);
    for (place, values) in row.chunks_exact_mut(UNITS).zip(kernel.chunks_exact(length)) {
        match count {
            0 => {}
            // The compiler knows how many these are.
            UNITS => place.copy_from_slice(&values[first..first + UNITS]),
            _ => place[..count].copy_from_slice(&values[first..first + count]),
        }
    }
}

/// For each byte of a pixel a row with the values of its levels, each in the channel that the byte is for.
fn upload_levels(uploads: &mut Uploads<'_>, parts: &mut Kernels, preprocess: &Preprocess) -> Result<()> {
    for (part, texture) in parts {
        uploads.write(texture, 0..1, part.size, |byte, rows| {
            for channel in (0..3).filter(|&channel| preprocess.source[channel] == byte) {
                let levels = rows[0].chunks_exact_mut(4).zip(&preprocess.table[channel]);
                levels.for_each(|(texel, value)| texel[channel] = *value);
            }
        })?;
    }
    Ok(())
}

fn upload_zeros(uploads: &mut Uploads<'_>, parts: &mut Kernels) -> Result<()> {
    // Others have zeros from the beginning.
    for (part, texture) in parts {
        if texture.memory().is_none() {
            continue;
        }
        uploads.write(texture, 0..part.size.layers, part.size, |_, _| {})?;
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
