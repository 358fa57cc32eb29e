//! One step of a plan: which shader runs over which textures, with which numbers.

use crate::ops::winograd::Filtering;
use crate::ops::{self, Activation, Op, Pool2d, PoolKind, Window, ZeroPad2d};

use super::layout::{Layout, TEXEL_BYTES, TextureSize};
use super::{Limits, MAX_LOOP_STEPS, Method, Shader, Slots, UPLOAD_BYTES, WORKGROUP_WIDTH, tiled, winograd};

/// Output rows that one thread of `conv2d.wgsl` computes: its `TILE_ROWS`.
pub const CONV2D_ROWS: usize = 4;
/// Output rows that one thread of `conv2d_3x3.wgsl` computes: its `TILE_ROWS`.
pub const CONV2D_3X3_ROWS: usize = 8;
/// Output columns and rows that one thread of `conv2d_image.wgsl` computes: its `TILE_COLUMNS` and `TILE_ROWS`.
pub const CONV2D_IMAGE_TILE: [usize; 2] = [2, 2];
/// Input channels that it takes.
const IMAGE_CHANNELS: usize = 3;
/// Quads of output channels that one thread of either computes at a time: their `TILE_QUADS`.
pub const CONV2D_QUADS: usize = 2;
/// Quads of units whose weights of one input lie beside each other, before those of the next input: `GROUP_QUADS` of
/// `parts/dense.wgsl`. So what threads beside each other read in turn is one stream.
pub const DENSE_GROUP_QUADS: usize = 8;
/// Inputs that `dense.wgsl` takes in an iteration: layers of weights have whole ones.
const DENSE_STEP: usize = 8;
/// Samples that one thread of `dense.wgsl` computes: its `TILE_SAMPLES`.
pub const DENSE_SAMPLES: usize = 8;
/// Samples that one workgroup of `dense_split.wgsl` computes: its `SPLIT_SAMPLES`.
pub const SPLIT_SAMPLES: usize = 8;
/// Quads of units that it computes: its `SPLIT_QUADS`.
pub const SPLIT_QUADS: usize = 4;
/// Threads of a workgroup of it: its `SLICES` for each quad.
pub const SPLIT_THREADS: usize = 64 * SPLIT_QUADS;
/// Bytes of workgroup memory that it takes: for each thread, a quad of its `ROUND` of 4 samples.
pub const SPLIT_BYTES: usize = SPLIT_THREADS * 4 * 16;

/// What makes one node's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where the output is.
    pub output_slot: usize,
    /// The layout of what is written.
    pub output: Layout,
    /// In order. More than one where weights are cut, or where an algorithm has stages.
    pub dispatches: Vec<Dispatch>,
    /// What makes the next step's output instead, without this one's, where that is a pool which can be computed with it.
    /// Batches are computed so, unless somebody wants to see every output.
    pub pooled: Option<Vec<Dispatch>>,
}

/// The slots that a dispatch reads, where it does not read pixels, and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchSlots {
    pub input: Option<usize>,
    pub output: usize,
}

/// One launch of a shader.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// What is launched.
    pub shader: Shader,
    /// What it reads and writes.
    pub slots: DispatchSlots,
    /// Applied to what is written, where the shader applies any.
    pub activation: Activation,
    /// The shader's `Params`, in the order of its fields.
    pub params: Vec<u32>,
    /// Workgroups, along one dimension for a part of the batch.
    pub workgroups: [usize; 3],
    /// How workgroups grow with the batch.
    pub growth: Growth,
    /// The part of the op's kernel that it reads.
    pub weights: Option<Weights>,
}

/// How a dispatch grows with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Along z, by its workgroups for each so many samples.
    Samples(usize),
    /// Along y, by a workgroup for each `per_group` tiles of a chunk; each sample of the batch has `per_sample`.
    Tiles { chunk: Chunk, per_sample: usize, per_group: usize },
}

/// Tiles, counted over a whole batch, that are computed together where all of them would take too much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub first: usize,
    pub count: usize,
}

/// A part of a kernel, as a texture. Texels hold four output channels of one input channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weights {
    /// The texture. A convolution's: input channels, quads of output channels, taps. Of `winograd_product.wgsl`: the quads of
    /// a group of output channels for one input channel after the other, groups, frequencies. A dense layer's: the quads of a
    /// group of units for one input after the other, groups, and as many layers as the inputs need. Of `preprocess.wgsl`:
    /// levels, bytes of a pixel.
    pub size: TextureSize,
    /// The first quad of output channels, and how many.
    pub quads: [usize; 2],
    /// The transform whose values it holds instead of taps.
    pub transform: Option<Filtering>,
}

impl Dispatch {
    /// Workgroups for a batch of `n`; none where it has no tile of the dispatch's chunk.
    pub fn workgroups(&self, n: usize) -> [usize; 3] {
        let [x, y, z] = self.workgroups;
        match self.growth {
            Growth::Samples(samples) => [x, y, z * n.div_ceil(samples)],
            Growth::Tiles { chunk, per_sample, per_group } => {
                let tiles = (n * per_sample).saturating_sub(chunk.first).min(chunk.count);
                [x, y * tiles.div_ceil(per_group), z]
            }
        }
    }
}

impl Step {
    /// All that it may launch, for its own output or for the pool's.
    pub fn all_dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.dispatches.iter().chain(self.pooled.iter().flatten())
    }

    /// Pixels to the network's input.
    pub(super) fn preprocess(output: Layout, output_slot: usize, limits: &Limits) -> Step {
        let params = vec![output.width as u32, output.height as u32];
        let slots = DispatchSlots { input: None, output: output_slot };
        let size = TextureSize { width: 256, height: 3, layers: 1 };
        let weights = Some(Weights { size, quads: [0, 1], transform: None });
        let dispatch = Dispatch { weights, ..over(Shader::Preprocess, slots, params, output, 1, limits) };
        Step { output_slot, output, dispatches: vec![dispatch], pooled: None }
    }

    /// One op from a layout and slot to another.
    pub(super) fn for_op(
        op: &Op,
        (from, input_slot): (Layout, usize),
        (to, output_slot): (Layout, usize),
        slots: &mut Slots<'_>,
    ) -> Result<Step, String> {
        let (batch, limits) = (slots.batch, slots.limits);
        let method = slots.choices.method(op, from, to, limits);
        let ends = DispatchSlots { input: Some(input_slot), output: output_slot };
        let dispatches = match op {
            Op::Conv2d(op) => match method {
                Some(Method::Winograd(filtering, product)) => {
                    winograd::dispatches(op, [from, to], None, ends, (filtering, product), slots)
                }
                Some(Method::DirectTiled(tile)) => vec![tiled::conv2d(op, from, to, ends, batch, tile)],
                Some(Method::Direct | Method::DirectSplit) | None => vec![conv2d(op, from, to, ends, limits)?],
            },
            Op::Dense(op) => dense(op, from, to, ends, method == Some(Method::DirectSplit), slots)?,
            Op::Pool2d(op) => vec![pool2d(op, from, to, ends, limits)?],
            Op::ZeroPad2d(op) => vec![zero_pad2d(op, from, to, ends, limits)],
            Op::Flatten => vec![flatten(from, to, ends, limits)],
            Op::BatchNorm(_) => {
                let params = vec![to.width as u32, to.height as u32, to.quads() as u32, to.is_vector().into()];
                vec![over(Shader::BatchNorm, ends, params, to, to.layers, limits)]
            }
            Op::Activation(activation) => {
                let params = vec![to.width as u32, to.height as u32];
                let dispatch = over(Shader::Activation, ends, params, to, to.layers, limits);
                vec![Dispatch { activation: *activation, ..dispatch }]
            }
            Op::Softmax => vec![softmax(to, ends, limits)?],
        };
        Ok(Step { output_slot, output: to, dispatches, pooled: None })
    }

    /// What computes a convolution and the pool behind it at once, where there is such a way: from the convolution's input to
    /// the layout and slot of the pool's output.
    pub(super) fn pooled(
        [op, pool]: [&Op; 2],
        (from, input_slot): (Layout, usize),
        to: Layout,
        (pooled, output_slot): (Layout, usize),
        slots: &mut Slots<'_>,
    ) -> Option<Vec<Dispatch>> {
        let (Op::Conv2d(conv2d), Op::Pool2d(pool)) = (op, pool) else { return None };
        let method = slots.choices.method(op, from, to, slots.limits);
        let Some(Method::Winograd(filtering, product)) = method else { return None };
        let ends = DispatchSlots { input: Some(input_slot), output: output_slot };
        let fits = winograd::pools(filtering, to) && pool.halves([to.height, to.width]);
        fits.then(|| winograd::dispatches(conv2d, [from, to], Some(pooled), ends, (filtering, product), slots))
    }

    /// What a batch launches for it, and for the pool behind it where it has that one's dispatches.
    pub fn launched(&self) -> &[Dispatch] {
        self.pooled.as_ref().unwrap_or(&self.dispatches)
    }

    /// The shaders that a batch runs, in the order of their first launches, with the number of launches where there is more
    /// than one.
    pub fn shaders(&self) -> String {
        let mut counts: Vec<(Shader, usize)> = Vec::new();
        for dispatch in self.launched() {
            match counts.iter_mut().find(|(shader, _)| *shader == dispatch.shader) {
                Some((_, count)) => *count += 1,
                None => counts.push((dispatch.shader, 1)),
            }
        }
        let names = counts.into_iter().map(|(shader, count)| match count {
            1 => shader.to_string(),
            _ => format!("{count} x {shader}"),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether an adapter launches and holds all of it.
    pub(super) fn check(&self, batch: usize, limits: &Limits) -> Result<(), String> {
        for dispatch in self.all_dispatches() {
            let [x, y, z] = dispatch.workgroups(batch);
            if [x, y, z].into_iter().max() > Some(limits.max_workgroups) {
                let (name, limit) = (dispatch.shader.name(), limits.max_workgroups);
                return Err(format!("{name} needs {x} x {y} x {z} workgroups, the limit along each is {limit}"));
            }
            if let Some(weights) = dispatch.weights {
                weights.size.check(limits)?;
            }
        }
        Ok(())
    }
}

/// A dispatch of one thread for each texel of `layout`'s width and height, and `layers` for each sample.
fn over(
    shader: Shader,
    slots: DispatchSlots,
    params: Vec<u32>,
    layout: Layout,
    layers: usize,
    limits: &Limits,
) -> Dispatch {
    let x = layout.width.div_ceil(WORKGROUP_WIDTH);
    let y = layout.height.div_ceil(limits.workgroup_rows);
    let (activation, growth) = (Activation::Linear, Growth::Samples(1));
    Dispatch { shader, slots, activation, params, workgroups: [x, y, layers], growth, weights: None }
}

fn conv2d(
    op: &ops::Conv2d,
    from: Layout,
    to: Layout,
    slots: DispatchSlots,
    limits: &Limits,
) -> Result<Dispatch, String> {
    check_loop(op.window.taps() * from.quads())?;
    let Window { kernel, stride, before, .. } = op.window;
    let quads = to.quads().next_multiple_of(CONV2D_QUADS);
    let is_3x3 = kernel == [3, 3] && stride == [1, 1];
    let (shader, [columns, rows]) = match is_3x3 {
        // It stores pairs of columns.
        true if limits.broadcasts_between_threads && op.c_in <= IMAGE_CHANNELS && to.width.is_multiple_of(2) => {
            (Shader::Conv2dImage, CONV2D_IMAGE_TILE)
        }
        true if limits.broadcasts_between_threads => (Shader::Conv2d3x3Broadcast, [1, CONV2D_3X3_ROWS]),
        true => (Shader::Conv2d3x3, [1, CONV2D_3X3_ROWS]),
        false => (Shader::Conv2d, [1, CONV2D_ROWS]),
    };
    let numbers = [
        [from.width, from.height],
        [from.quads(), to.quads()],
        [to.width, to.height],
        [kernel[1], kernel[0]],
        [stride[1], stride[0]],
        [before[1], before[0]],
    ];
    let params = numbers.as_flattened().iter().map(|&number| number as u32).collect();
    let workgroups = [
        to.width.div_ceil(columns).div_ceil(WORKGROUP_WIDTH),
        to.height.div_ceil(rows).div_ceil(limits.workgroup_rows),
        if shader == Shader::Conv2dImage { 1 } else { quads / CONV2D_QUADS },
    ];
    let layers = op.window.taps() + usize::from(shader.has_bias_in_weights());
    let size = TextureSize { width: from.quads() * 4, height: quads, layers };
    let weights = Some(Weights { size, quads: [0, quads], transform: None });
    let (activation, growth) = (op.activation, Growth::Samples(1));
    Ok(Dispatch { shader, slots, activation, params, workgroups, growth, weights })
}

/// Cut by units, so that each part's texture keeps within the limits.
fn dense(
    op: &ops::Dense,
    from: Layout,
    to: Layout,
    ends: DispatchSlots,
    is_split: bool,
    slots: &Slots<'_>,
) -> Result<Vec<Dispatch>, String> {
    let (batch, limits) = (slots.batch, slots.limits);
    if !limits.is_hardware {
        check_loop(from.quads())?;
    }
    let inputs = from.quads() * 4;
    let group_bytes = inputs * TEXEL_BYTES * DENSE_GROUP_QUADS;
    let groups = to.quads().div_ceil(DENSE_GROUP_QUADS);
    let most_groups = ((limits.max_weights_bytes / group_bytes as u64) as usize).clamp(1, limits.max_texture_side);
    let part_quads = groups.div_ceil(groups.div_ceil(most_groups)) * DENSE_GROUP_QUADS;
    let most_inputs = (UPLOAD_BYTES / (part_quads * TEXEL_BYTES)).min(limits.max_texture_side / DENSE_GROUP_QUADS);
    let layers = inputs.div_ceil((most_inputs / DENSE_STEP * DENSE_STEP).max(DENSE_STEP));
    let layer_inputs = inputs.div_ceil(layers).next_multiple_of(DENSE_STEP);
    let dispatch = |first: usize| {
        let quads = part_quads.min(to.quads() - first);
        let numbers = [from.width, from.quads(), layer_inputs, to.width, first, quads, batch];
        let params = numbers.iter().map(|&number| number as u32).collect();
        let width = layer_inputs * DENSE_GROUP_QUADS;
        let size = TextureSize { width, height: quads.div_ceil(DENSE_GROUP_QUADS), layers };
        let weights = Some(Weights { size, quads: [first, quads], transform: None });
        let (shader, group_quads, samples) = match is_split {
            true => (Shader::DenseSplit, SPLIT_QUADS, SPLIT_SAMPLES),
            false if limits.broadcasts_between_threads => {
                (Shader::DenseBroadcast, limits.workgroup_rows * DENSE_GROUP_QUADS, DENSE_SAMPLES)
            }
            false => (Shader::Dense, limits.workgroup_rows * DENSE_GROUP_QUADS, DENSE_SAMPLES),
        };
        let (slots, workgroups, growth) = (ends, [1, quads.div_ceil(group_quads), 1], Growth::Samples(samples));
        Dispatch { shader, slots, activation: op.activation, params, workgroups, growth, weights }
    };
    Ok((0..to.quads()).step_by(part_quads).map(dispatch).collect())
}

fn pool2d(op: &Pool2d, from: Layout, to: Layout, slots: DispatchSlots, limits: &Limits) -> Result<Dispatch, String> {
    check_loop(op.window.taps())?;
    let Window { kernel, stride, before, .. } = op.window;
    let pairs = [
        [from.width, from.height],
        [to.width, to.height],
        [kernel[1], kernel[0]],
        [stride[1], stride[0]],
        [before[1], before[0]],
    ];
    let mut params: Vec<u32> = pairs.as_flattened().iter().map(|&number| number as u32).collect();
    params.push(match op.kind {
        PoolKind::Max => 0,
        PoolKind::Average => 1,
    });
    Ok(over(Shader::Pool2d, slots, params, to, to.layers, limits))
}

fn zero_pad2d(op: &ZeroPad2d, from: Layout, to: Layout, slots: DispatchSlots, limits: &Limits) -> Dispatch {
    let numbers = [from.width, from.height, to.width, to.height, op.left, op.top];
    over(Shader::ZeroPad2d, slots, numbers.iter().map(|&number| number as u32).collect(), to, to.layers, limits)
}

fn flatten(from: Layout, to: Layout, slots: DispatchSlots, limits: &Limits) -> Dispatch {
    let numbers = [from.width, from.layers, from.shape.channels(), to.shape.len(), to.width, to.height];
    over(Shader::Flatten, slots, numbers.iter().map(|&number| number as u32).collect(), to, 1, limits)
}

/// One thread for each row of channels: a pixel of a map, or a whole vector.
fn softmax(layout: Layout, slots: DispatchSlots, limits: &Limits) -> Result<Dispatch, String> {
    check_loop(3 * layout.quads())?;
    let numbers = [layout.width, layout.height, layout.shape.channels(), layout.is_vector().into()];
    let params = numbers.iter().map(|&number| number as u32).collect();
    let mut dispatch = over(Shader::Softmax, slots, params, layout, 1, limits);
    if layout.is_vector() {
        dispatch.workgroups = [1, 1, 1];
    }
    Ok(dispatch)
}

fn check_loop(steps: usize) -> Result<(), String> {
    if steps > MAX_LOOP_STEPS {
        return Err(format!("it sums over {steps} quads of channels, shaders take at most {MAX_LOOP_STEPS}"));
    }
    Ok(())
}

/// The number that shaders know an activation by; `shaders/common.wgsl` has the other half, and the op tests, which run
/// every activation, hold them to each other.
pub fn activation_code(activation: Activation) -> u32 {
    match activation {
        Activation::Linear => 0,
        Activation::Relu => 1,
        Activation::Sigmoid => 2,
        Activation::Tanh => 3,
    }
}
