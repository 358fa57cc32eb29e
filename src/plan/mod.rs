//! A network planned for one adapter: plain data, computed from shapes and limits, without a GPU.
//!
//! A plan says which textures there are, or on hardware which buffers laid out as such, and what each step reads, writes and
//! dispatches. Activations stay on the GPU, in as little memory as a chain needs: a step's output takes any texture of its size
//! that is not its input, and of buffers any.

mod layout;
mod method;
mod shader;
mod step;
mod tile;
mod tiled;
mod winograd;

pub use layout::{Layout, TEXEL_BYTES, TextureSize, row_bytes};
pub use method::{Choices, Method, Task};
pub use shader::{Shader, Texels};
pub use step::{CONV2D_3X3_ROWS, CONV2D_IMAGE_TILE, CONV2D_QUADS, CONV2D_ROWS, DENSE_GROUP_QUADS, DENSE_SAMPLES};
pub use step::{Chunk, Dispatch, DispatchSlots, Growth, Step, Weights, activation_code};
pub use step::{SPLIT_BYTES, SPLIT_QUADS, SPLIT_SAMPLES, SPLIT_THREADS};
pub use tile::{SLAB, Tile};
pub use winograd::{BLOCK, PRODUCT_GROUP_QUADS, Product};

use std::ops::Range;

use crate::executor::requested_batch;
use crate::ops::Op;
use crate::{Error, Network, Result};

/// What an adapter can hold and launch, as far as plans depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest width and height of a texture.
    pub max_texture_side: usize,
    /// The most layers of a texture.
    pub max_texture_layers: usize,
    /// The most workgroups along one dimension of a dispatch.
    pub max_workgroups: usize,
    /// The largest buffer that a shader can be given, in bytes.
    pub max_binding_bytes: u64,
    /// The most that weights in one piece take, in bytes; larger ones are cut.
    pub max_weights_bytes: u64,
    /// Threads of a workgroup along y; along x there are [`WORKGROUP_WIDTH`]. Where a shader needs others, it says so.
    pub workgroup_rows: usize,
    /// The most threads of a workgroup.
    pub max_workgroup_threads: usize,
    /// The most memory that a workgroup's threads share, in bytes.
    pub max_workgroup_bytes: usize,
    /// Whether its threads are hardware's: then texels are in buffers, which they read several times as fast as textures, and
    /// what goes by workgroup memory is the fastest: measured on an H200, predicted for others. On a rasteriser it is the other
    /// way round.
    pub is_hardware: bool,
    /// What a stage of an algorithm that computes a batch in chunks may hand to the next, in bytes: little enough to stay in
    /// the processor's cache, enough to keep all of it busy.
    pub chunk_bytes: usize,
    /// Whether the [`WORKGROUP_WIDTH`] threads of a workgroup's row are, in their order, the first lanes of a subgroup, and
    /// shaders may hand values from one to the others.
    pub broadcasts_between_threads: bool,
}

impl Limits {
    /// Those of hardware, which has as much of everything as a rasteriser of these limits.
    pub fn of_hardware(self) -> Limits {
        Limits {
            is_hardware: true,
            // In buffers, which are as large as a binding.
            max_weights_bytes: self.max_binding_bytes.min(1 << 30),
            // A rasteriser on the CPU runs 8 threads as one vector, and more of them one after the other, with all their
            // registers in memory in between. Hardware wants 64.
            workgroup_rows: 8,
            // An H200 is 3 % faster with 128 MB than with 64.
            chunk_bytes: self.max_binding_bytes.min(128 << 20) as usize,
            // Where it puts threads is not promised.
            broadcasts_between_threads: false,
            ..self
        }
    }

    fn takes_workgroup(&self, threads: usize, bytes: usize) -> bool {
        threads <= self.max_workgroup_threads && bytes <= self.max_workgroup_bytes
    }

    fn takes_tile(&self, tile: Tile) -> bool {
        self.takes_workgroup(tile.threads(), tile.workgroup_bytes())
    }
}

/// Threads of a workgroup along x, in every shader: `WORKGROUP_WIDTH` of `shaders/common.wgsl`.
pub const WORKGROUP_WIDTH: usize = 8;

/// The most steps of a shader's loops: Mesa's software rasteriser before version 23 silently ends them after so many.
pub const MAX_LOOP_STEPS: usize = 65_535;

/// The most that is written to a texture of weights at once, in bytes: a layer as a rule, and of a transformed kernel some
/// rows of all layers. Drivers may copy what they are given.
pub const UPLOAD_BYTES: usize = 16 << 20;

/// The batch where none is asked for and everything fits: the dense layers' weights are read once for so many images.
const PREFERRED_BATCH: usize = 8;

/// The most that activations take where no batch is asked for, in bytes: those of VGG16's batches of 32 on hardware.
const ACTIVATION_BYTES: u64 = 5 << 28;

/// A texture that activations live in, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The largest that is in it.
    pub size: TextureSize,
    /// The memory that it is in, by number. On a rasteriser each has its own. On hardware, where slots are buffers, one memory
    /// serves several slots in turn.
    pub memory: usize,
}

/// A network planned for batches of up to `batch` samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The largest batch.
    pub batch: usize,
    /// The textures that activations live in.
    pub slots: Vec<Slot>,
    /// The layout of the input: of what preprocessing makes of the pixels, or of the values given.
    pub input: Layout,
    /// The slot that the input is in.
    pub input_slot: usize,
    /// Bytes of the pixels of a full batch, where there is a preprocessing step.
    pub pixel_bytes: Option<u64>,
    /// In order. Where pixels are taken, the first one preprocesses them; then there is one for each node.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Plans `network`. Where `batch` is `None`, the largest batch up to 8 is taken that the limits allow. A network that
    /// does not fit is an [`Error::Device`] that says which layer needs what; a batch of 0 is an [`Error::Usage`].
    pub fn new(network: &Network, limits: &Limits, batch: Option<usize>) -> Result<Plan> {
        Plan::with_choices(network, limits, batch, &Choices::default())
    }

    /// The same with the methods that were chosen.
    pub fn with_choices(network: &Network, limits: &Limits, batch: Option<usize>, choices: &Choices) -> Result<Plan> {
        match requested_batch(batch)? {
            Some(batch) => Plan::for_batch(network, limits, batch, choices).map_err(too_much),
            None => Plan::up_to(PREFERRED_BATCH, network, limits, choices),
        }
    }

    /// For a batch of `most`, or the half of it, or of that, with which activations take a limited part of an adapter's memory.
    pub(crate) fn up_to(most: usize, network: &Network, limits: &Limits, choices: &Choices) -> Result<Plan> {
        let mut batch = most;
        loop {
            match Plan::for_batch(network, limits, batch, choices) {
                Ok(plan) if plan.activation_bytes() <= ACTIVATION_BYTES || batch == 1 => return Ok(plan),
                Err(problem) if batch == 1 => return Err(too_much(problem)),
                _ => batch /= 2,
            }
        }
    }

    /// Bytes of each memory that slots are in.
    pub fn memories(&self) -> Vec<u64> {
        memories(&self.slots)
    }

    /// Bytes of all activations.
    pub fn activation_bytes(&self) -> u64 {
        self.memories().iter().sum()
    }

    /// The layout and slot of the network's output.
    pub fn output(&self) -> (Layout, usize) {
        self.steps.last().map_or((self.input, self.input_slot), |step| (step.output, step.output_slot))
    }

    /// The steps that a batch launches as one: each alone, or a convolution and the pool that is computed with it.
    pub fn parts(&self) -> Vec<Range<usize>> {
        let (mut parts, mut first) = (Vec::new(), 0);
        while first < self.steps.len() {
            let end = first + 1 + usize::from(self.steps[first].pooled.is_some());
            parts.push(first..end);
            first = end;
        }
        parts
    }

    fn for_batch(network: &Network, limits: &Limits, batch: usize, choices: &Choices) -> Result<Plan, String> {
        let input = Layout::of(network.input, limits);
        let mut slots = Slots { batch, limits, choices, slots: Vec::new(), scratch: [None; 2] };
        let input_slot = slots.take(input, &[]).map_err(|problem| format!("input {}: {problem}", network.input))?;
        let mut steps = Vec::new();
        if network.preprocess.is_some() {
            steps.push(Step::preprocess(input, input_slot, limits));
        }
        // The layouts and slots of the input and of each node's output.
        let mut places = vec![(input, input_slot)];
        for (index, node) in network.nodes.iter().enumerate() {
            let fail = |problem| format!("layer {} ({}): {problem}", node.layer, node.op.name());
            let (to, from) = (Layout::of(node.output, limits), places[index]);
            // A pool may be computed with the layer before, from what that one reads.
            let first_read = if matches!(node.op, Op::Pool2d(_)) { index.saturating_sub(1) } else { index };
            let busy: Vec<usize> = places[first_read..].iter().map(|&(_, slot)| slot).collect();
            let to = (to, slots.take(to, &busy).map_err(fail)?);
            if let (Some(before), Some(step)) = (index.checked_sub(1), steps.last_mut()) {
                let ops = [&network.nodes[before].op, &node.op];
                step.pooled = Step::pooled(ops, places[before], from.0, to, &mut slots);
            }
            steps.push(Step::for_op(&node.op, from, to, &mut slots).map_err(fail)?);
            places.push(to);
        }
        for step in &steps {
            step.check(batch, limits)?;
        }
        let pixel_bytes =
            network.preprocess.is_some().then(|| (batch * network.input.len()).next_multiple_of(4) as u64);
        if let Some(bytes) = pixel_bytes.filter(|&bytes| bytes > limits.max_binding_bytes) {
            let limit = limits.max_binding_bytes;
            return Err(format!("the pixels of {batch} images take {bytes} bytes, the largest binding is {limit}"));
        }
        Ok(Plan { batch, slots: slots.slots, input, input_slot, pixel_bytes, steps })
    }
}

fn too_much(problem: String) -> Error {
    Error::Device(format!("this adapter cannot run the network: {problem}"))
}

/// Bytes of each memory that `slots` are in.
fn memories(slots: &[Slot]) -> Vec<u64> {
    let mut memories = Vec::new();
    for slot in slots {
        memories.resize(memories.len().max(slot.memory + 1), 0);
        memories[slot.memory] = slot.size.bytes().max(memories[slot.memory]);
    }
    memories
}

/// The textures handed out so far.
struct Slots<'a> {
    batch: usize,
    limits: &'a Limits,
    choices: &'a Choices,
    slots: Vec<Slot>,
    scratch: [Option<usize>; 2],
}

impl Slots<'_> {
    /// One of two slots for what lives within a step, at least of `size`.
    fn scratch(&mut self, index: usize, size: TextureSize) -> usize {
        let slot = match self.scratch[index] {
            Some(slot) => slot,
            None => self.add(Slot { size, memory: memories(&self.slots).len() }),
        };
        self.scratch[index] = Some(slot);
        let TextureSize { width, height, layers } = self.slots[slot].size;
        self.slots[slot].size = TextureSize {
            width: width.max(size.width),
            height: height.max(size.height),
            layers: layers.max(size.layers),
        };
        slot
    }

    /// A slot for `layout` in other memory than `busy` slots: of that which is there, in what has to grow least.
    fn take(&mut self, layout: Layout, busy: &[usize]) -> Result<usize, String> {
        let size = layout.texture(self.batch);
        size.check(self.limits)?;
        let memories = memories(&self.slots);
        let is_free = |&memory: &usize| {
            let mut taken = busy.iter().chain(self.scratch.iter().flatten());
            let suits = self.limits.is_hardware || self.slots.contains(&Slot { size, memory });
            suits && taken.all(|&slot| self.slots[slot].memory != memory)
        };
        let free = (0..memories.len()).filter(is_free);
        let memory = free.min_by_key(|&memory| size.bytes().saturating_sub(memories[memory]));
        let slot = Slot { size, memory: memory.unwrap_or(memories.len()) };
        Ok(self.slots.iter().position(|&other| other == slot).unwrap_or_else(|| self.add(slot)))
    }

    fn add(&mut self, slot: Slot) -> usize {
        self.slots.push(slot);
        self.slots.len() - 1
    }
}
