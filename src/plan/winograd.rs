//! 3x3 convolutions with stride 1 by Winograd's minimal filtering: three shaders, one after the other, on a chunk of the
//! batch.

use serde::{Deserialize, Serialize};

use crate::ops::winograd::Filtering;
use crate::ops::{self, Activation, Window};

use super::layout::{Layout, TEXEL_BYTES, TextureSize, row_bytes};
use super::step::{Chunk, Dispatch, DispatchSlots, Growth, Weights};
use super::tile::Tile;
use super::{Limits, MAX_LOOP_STEPS, Shader, Slots, UPLOAD_BYTES, WORKGROUP_WIDTH, tiled};

/// Tiles of a block of the transforms: `TILE_BLOCK` of `parts/spectra.wgsl`, and what one row of threads of
/// `winograd_product.wgsl` computes.
pub const BLOCK: usize = 64;
/// Quads of output channels whose kernels of one input channel lie beside each other, before those of the next: its
/// `GROUP_QUADS`. The transforms and the kernel have whole groups, which are a multiple of what one thread computes.
pub const PRODUCT_GROUP_QUADS: usize = 4;
/// Quads of input channels that it takes in an iteration.
const PRODUCT_STEP: usize = 2;

/// Fewer input or output channels than this make the transforms dearer than what they save.
const MIN_CHANNELS: usize = 16;

/// Texels in a row of the transforms: a block at each frequency, and a block more, or all rows would share a few of a
/// cache's sets. Of an odd number of frequencies, `parts/forward_7.wgsl` writes into that too.
fn row_texels(filtering: Filtering) -> usize {
    (filtering.frequencies() + 1) * BLOCK
}

/// How the products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Product {
    /// Results in registers, every thread reading the kernel.
    Registers,
    /// The same, threads handing the kernel to each other.
    Broadcast,
    /// Operands in workgroup memory.
    Tiled(Tile),
}

impl Product {
    /// Quads of output channels that a workgroup computes: `TILE_QUADS` of the shader.
    pub fn quads(self) -> usize {
        match self {
            Product::Registers => 2,
            Product::Broadcast => 4,
            Product::Tiled(tile) => tile.quads(),
        }
    }
}

/// How tiles of the batch are cut into chunks.
struct Tiles {
    filtering: Filtering,
    /// Tiles of a sample along x and y.
    grid: [usize; 2],
    /// Of the whole batch.
    all: usize,
    /// Of a chunk, the last of which may have fewer: whole blocks.
    per_chunk: usize,
}

impl Tiles {
    /// For transforms of at most `quads`.
    fn new(filtering: Filtering, to: Layout, quads: usize, batch: usize, limits: &Limits) -> Tiles {
        let grid = grid(filtering, [to.width, to.height]);
        let all = grid[0] * grid[1] * batch;
        let blocks = all.div_ceil(BLOCK);
        let rows = (limits.chunk_bytes / (row_texels(filtering) * TEXEL_BYTES)).min(limits.max_texture_side);
        // Chunks of one size: each is over when its slowest thread is.
        let chunks = blocks.div_ceil((rows / quads).max(1));
        Tiles { filtering, grid, all, per_chunk: blocks.div_ceil(chunks) * BLOCK }
    }

    fn per_sample(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    fn transform(&self, quads: usize) -> TextureSize {
        TextureSize { width: row_texels(self.filtering), height: self.per_chunk / BLOCK * quads, layers: 1 }
    }
}

/// Tiles along the sides of a map of `size`.
fn grid(filtering: Filtering, size: [usize; 2]) -> [usize; 2] {
    size.map(|size| size.div_ceil(filtering.out()))
}

/// Samples of a map of `size` whose tiles fill a block.
pub fn samples_of_block(filtering: Filtering, size: [usize; 2]) -> usize {
    let tiles: usize = grid(filtering, size).iter().product();
    BLOCK.div_ceil(tiles.max(1))
}

fn product_quads(to: Layout) -> usize {
    to.quads().next_multiple_of(PRODUCT_GROUP_QUADS)
}

fn weights_size(filtering: Filtering, from: Layout, to: Layout) -> TextureSize {
    let width = from.quads().next_multiple_of(PRODUCT_STEP) * 4 * PRODUCT_GROUP_QUADS;
    TextureSize { width, height: product_quads(to) / PRODUCT_GROUP_QUADS, layers: filtering.frequencies() }
}

/// Whether `op` is a convolution that this computes faster than the direct sum, and the adapter has room for it.
pub fn takes(op: &ops::Conv2d, filtering: Filtering, from: Layout, to: Layout, limits: &Limits) -> bool {
    let Window { kernel, stride, .. } = op.window;
    let fits = kernel == [3, 3] && stride == [1, 1] && op.c_in.min(op.c_out) >= MIN_CHANNELS;
    let quads = from.quads().max(product_quads(to));
    let weights = weights_size(filtering, from, to);
    let transform = Tiles::new(filtering, to, quads, 1, limits).transform(quads);
    let sizes = [transform, weights];
    // Of either kind of product.
    let widest = weights.width.max(tiled::weights(from, to, op.window.taps(), Some(filtering)).size.width);
    fits && from.quads() <= MAX_LOOP_STEPS
        && weights.bytes() <= limits.max_weights_bytes
        && row_bytes(widest) * weights.layers <= UPLOAD_BYTES
        && sizes.iter().all(|size| size.check(limits).is_ok())
}

/// Whether a pool of 2 x 2 can be computed with it: of tiles, or for F7 of squares of two by two tiles, which are made of
/// whole such windows.
pub fn pools(filtering: Filtering, to: Layout) -> bool {
    match filtering {
        Filtering::F4 => true,
        Filtering::F7 => grid(filtering, [to.width, to.height]).iter().all(|tiles| tiles.is_multiple_of(2)),
    }
}

/// The three stages for each chunk of the batch. The output is the convolution's, of layout `to`, or where there is such a
/// one that of the max pool behind it, which [`ops::Pool2d::halves`] the map and [`pools`] allows.
pub fn dispatches(
    op: &ops::Conv2d,
    [from, to]: [Layout; 2],
    pooled: Option<Layout>,
    ends: DispatchSlots,
    (filtering, product): (Filtering, Product),
    slots: &mut Slots<'_>,
) -> Vec<Dispatch> {
    let tiles = Tiles::new(filtering, to, from.quads().max(product_quads(to)), slots.batch, slots.limits);
    let transforms =
        [slots.scratch(0, tiles.transform(from.quads())), slots.scratch(1, tiles.transform(product_quads(to)))];
    let stages = Stages { op, from, to, pooled, ends, transforms, tiles, product, limits: slots.limits };
    let chunks = (0..stages.tiles.all)
        .step_by(stages.tiles.per_chunk)
        .map(|first| Chunk { first, count: stages.tiles.per_chunk.min(stages.tiles.all - first) });
    chunks.flat_map(|chunk| [stages.input(chunk), stages.product(chunk), stages.output(chunk)]).collect()
}

struct Stages<'a> {
    op: &'a ops::Conv2d,
    from: Layout,
    to: Layout,
    pooled: Option<Layout>,
    ends: DispatchSlots,
    /// V and M.
    transforms: [usize; 2],
    tiles: Tiles,
    product: Product,
    limits: &'a Limits,
}

impl Stages<'_> {
    fn input(&self, chunk: Chunk) -> Dispatch {
        let [left, top] = [self.op.window.before[1], self.op.window.before[0]];
        let [x, y] = self.tiles.grid;
        let (width, height, quads) = (self.from.width, self.from.height, self.from.quads());
        let params = [width, height, x, y, left, top, quads, chunk.first, chunk.count, self.squares()];
        let slots = DispatchSlots { input: self.ends.input, output: self.transforms[0] };
        self.dispatch(
            Shader::WinogradInput(self.tiles.filtering),
            slots,
            &params,
            [1, 1, quads],
            self.growth(chunk, 1),
            None,
        )
    }

    fn product(&self, chunk: Chunk) -> Dispatch {
        match self.product {
            Product::Registers => self.product_in_registers(chunk, Shader::WinogradProduct),
            Product::Broadcast if self.tiles.all <= BLOCK / 2 => {
                self.product_in_registers(chunk, Shader::WinogradProductHalf)
            }
            Product::Broadcast => self.product_in_registers(chunk, Shader::WinogradProductBroadcast),
            Product::Tiled(tile) => self.product_in_tiles(chunk, tile),
        }
    }

    fn product_in_tiles(&self, chunk: Chunk, tile: Tile) -> Dispatch {
        let quads = self.to.quads();
        let params = [self.from.quads(), quads, product_quads(self.to), chunk.count];
        let workgroups = [quads.div_ceil(self.product.quads()), 1, self.frequencies()];
        let growth = Growth::Tiles { chunk, per_sample: self.tiles.per_sample(), per_group: tile.rows() };
        let weights = tiled::weights(self.from, self.to, self.op.window.taps(), Some(self.tiles.filtering));
        let shader = Shader::WinogradProductTiled(tile);
        self.dispatch(shader, self.between(), &params, workgroups, growth, Some(weights))
    }

    fn product_in_registers(&self, chunk: Chunk, shader: Shader) -> Dispatch {
        let quads = product_quads(self.to);
        let params = [self.from.quads(), quads, chunk.count.div_ceil(BLOCK)];
        let size = weights_size(self.tiles.filtering, self.from, self.to);
        let weights = Weights { size, quads: [0, quads], transform: Some(self.tiles.filtering) };
        let workgroups = [quads / self.product.quads(), 1, self.frequencies()];
        let growth = self.growth(chunk, BLOCK / WORKGROUP_WIDTH);
        self.dispatch(shader, self.between(), &params, workgroups, growth, Some(weights))
    }

    fn output(&self, chunk: Chunk) -> Dispatch {
        let [x, y] = self.tiles.grid;
        let (shader, output) = match self.pooled {
            None => (Shader::WinogradOutput(self.tiles.filtering), self.to),
            Some(pooled) => (Shader::WinogradOutputPooled(self.tiles.filtering), pooled),
        };
        let quads = self.to.quads();
        let rows = product_quads(self.to);
        let params = [output.width, output.height, x, y, quads, rows, chunk.first, chunk.count, self.squares()];
        let slots = DispatchSlots { input: Some(self.transforms[1]), output: self.ends.output };
        let dispatch = self.dispatch(shader, slots, &params, [1, 1, quads], self.growth(chunk, 1), None);
        Dispatch { activation: self.op.activation, ..dispatch }
    }

    fn frequencies(&self) -> usize {
        self.tiles.filtering.frequencies()
    }

    /// 1 where tiles follow each other in squares of two by two, which F7 needs for pools, otherwise 0.
    fn squares(&self) -> usize {
        usize::from(self.pooled.is_some() && self.tiles.filtering == Filtering::F7)
    }

    /// From V to M.
    fn between(&self) -> DispatchSlots {
        DispatchSlots { input: Some(self.transforms[0]), output: self.transforms[1] }
    }

    fn growth(&self, chunk: Chunk, tiles_per_thread: usize) -> Growth {
        let per_group = WORKGROUP_WIDTH * tiles_per_thread * self.limits.workgroup_rows;
        Growth::Tiles { chunk, per_sample: self.tiles.per_sample(), per_group }
    }

    fn dispatch(
        &self,
        shader: Shader,
        slots: DispatchSlots,
        params: &[usize],
        workgroups: [usize; 3],
        growth: Growth,
        weights: Option<Weights>,
    ) -> Dispatch {
        let params = params.iter().map(|&number| number as u32).collect();
        Dispatch { shader, slots, activation: Activation::Linear, params, workgroups, growth, weights }
    }
}
