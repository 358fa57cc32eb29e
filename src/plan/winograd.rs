//! 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3): three shaders, one after the other, on a chunk of the batch.

use crate::ops::winograd::{FREQUENCIES, OUT};
use crate::ops::{self, Activation, Window};

use super::layout::{Layout, TextureSize};
use super::step::{Chunk, Dispatch, DispatchSlots, Growth, Weights};
use super::tile::Tile;
use super::{Limits, MAX_LOOP_STEPS, Shader, Slots, WORKGROUP_WIDTH, tiled};

/// Tiles that one thread of `winograd_product.wgsl` computes: its `TILE_TILES`.
pub const PRODUCT_TILES: usize = 8;
/// Quads of output channels that one thread of it computes: its `TILE_QUADS`.
pub const PRODUCT_QUADS: usize = 2;

/// Texels in a row of the transforms: whole blocks of tiles, and no power of two, or all rows would share a cache set.
const WIDTH: usize = 7 * PRODUCT_TILES * WORKGROUP_WIDTH;

/// Rows of the transforms that a chunk of the batch may take, 258 KB each: enough to fill two threads, few enough to stay
/// in a large cache.
const CHUNK_ROWS: usize = 128;

/// Fewer input or output channels than this make the transforms dearer than what they save.
const MIN_CHANNELS: usize = 16;

/// How tiles of a chunk lie in the transforms.
struct Tiles {
    /// Tiles of a sample along x and y.
    grid: [usize; 2],
    /// Samples of a chunk.
    samples: usize,
    /// Rows for each quad of channels.
    rows: usize,
}

impl Tiles {
    fn new(to: Layout, quads: usize, batch: usize) -> Tiles {
        let grid = [to.width.div_ceil(OUT), to.height.div_ceil(OUT)];
        let rows = |samples: usize| (samples * grid[0] * grid[1]).div_ceil(WIDTH);
        let fits = |&samples: &usize| rows(samples) * quads <= CHUNK_ROWS;
        let samples = (1..=batch).rev().find(fits).unwrap_or(1);
        Tiles { grid, samples, rows: rows(samples) }
    }

    fn per_sample(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    fn transform(&self, quads: usize) -> TextureSize {
        TextureSize { width: WIDTH, height: self.rows * quads, layers: FREQUENCIES }
    }
}

fn product_quads(to: Layout) -> usize {
    to.quads().next_multiple_of(PRODUCT_QUADS)
}

fn weights_size(from: Layout, to: Layout) -> TextureSize {
    TextureSize { width: from.quads() * 4, height: product_quads(to), layers: FREQUENCIES }
}

/// Whether `op` is a convolution that this computes faster than the direct sum, and the adapter has room for it.
pub fn takes(op: &ops::Conv2d, from: Layout, to: Layout, limits: &Limits) -> bool {
    let Window { kernel, stride, .. } = op.window;
    let fits = kernel == [3, 3] && stride == [1, 1] && op.c_in.min(op.c_out) >= MIN_CHANNELS;
    let quads = from.quads().max(product_quads(to));
    let weights = weights_size(from, to);
    let sizes = [Tiles::new(to, quads, 1).transform(quads), weights];
    fits && from.quads() <= MAX_LOOP_STEPS
        && weights.bytes() <= limits.max_weights_bytes
        && sizes.iter().all(|size| size.check(limits).is_ok())
}

/// The three stages for each chunk of the batch; the products in tiles where there is one.
pub fn dispatches(
    op: &ops::Conv2d,
    from: Layout,
    to: Layout,
    ends: DispatchSlots,
    tile: Option<Tile>,
    slots: &mut Slots<'_>,
) -> Vec<Dispatch> {
    let tiles = Tiles::new(to, from.quads().max(product_quads(to)), slots.batch);
    let transforms =
        [slots.scratch(0, tiles.transform(from.quads())), slots.scratch(1, tiles.transform(product_quads(to)))];
    let stages = Stages { op, from, to, ends, transforms, tiles, tile, limits: slots.limits };
    let chunks = (0..slots.batch)
        .step_by(stages.tiles.samples)
        .map(|first| Chunk { first, samples: stages.tiles.samples.min(slots.batch - first) });
    chunks.flat_map(|chunk| [stages.input(chunk), stages.product(chunk), stages.output(chunk)]).collect()
}

struct Stages<'a> {
    op: &'a ops::Conv2d,
    from: Layout,
    to: Layout,
    ends: DispatchSlots,
    /// V and M.
    transforms: [usize; 2],
    tiles: Tiles,
    tile: Option<Tile>,
    limits: &'a Limits,
}

impl Stages<'_> {
    fn input(&self, chunk: Chunk) -> Dispatch {
        let [left, top] = [self.op.window.before[1], self.op.window.before[0]];
        let Tiles { grid: [x, y], rows, .. } = self.tiles;
        let (width, height, quads) = (self.from.width, self.from.height, self.from.quads());
        let params = [width, height, x, y, left, top, quads, WIDTH, rows, chunk.first, self.count(chunk)];
        let slots = DispatchSlots { input: self.ends.input, output: self.transforms[0] };
        self.dispatch(Shader::WinogradInput, slots, &params, [1, 1, quads], self.growth(chunk, 1), None)
    }

    fn product(&self, chunk: Chunk) -> Dispatch {
        match self.tile {
            None => self.product_in_registers(chunk),
            Some(tile) => self.product_in_tiles(chunk, tile),
        }
    }

    fn product_in_tiles(&self, chunk: Chunk, tile: Tile) -> Dispatch {
        let quads = self.to.quads();
        let params = [self.from.quads(), quads, WIDTH, self.tiles.rows, self.count(chunk)];
        let slots = DispatchSlots { input: Some(self.transforms[0]), output: self.transforms[1] };
        let workgroups = [quads.div_ceil(tile.quads()), 1, FREQUENCIES];
        let growth = Growth::Tiles { chunk, per_sample: self.tiles.per_sample(), per_group: tile.rows() };
        let weights = tiled::weights(self.from, self.to, FREQUENCIES);
        self.dispatch(Shader::WinogradProductTiled(tile), slots, &params, workgroups, growth, Some(weights))
    }

    fn product_in_registers(&self, chunk: Chunk) -> Dispatch {
        let quads = product_quads(self.to);
        let blocks = self.count(chunk).div_ceil(WORKGROUP_WIDTH * PRODUCT_TILES);
        let params = [self.from.quads(), WIDTH, self.tiles.rows, blocks];
        let slots = DispatchSlots { input: Some(self.transforms[0]), output: self.transforms[1] };
        let weights = Weights { size: weights_size(self.from, self.to), quads: [0, quads] };
        let workgroups = [quads / PRODUCT_QUADS, 1, FREQUENCIES];
        let growth = self.growth(chunk, PRODUCT_TILES);
        self.dispatch(Shader::WinogradProduct, slots, &params, workgroups, growth, Some(weights))
    }

    fn output(&self, chunk: Chunk) -> Dispatch {
        let Tiles { grid: [x, y], rows, .. } = self.tiles;
        let (width, height, quads) = (self.to.width, self.to.height, self.to.quads());
        let params = [width, height, x, y, quads, WIDTH, rows, chunk.first, self.count(chunk)];
        let slots = DispatchSlots { input: Some(self.transforms[1]), output: self.ends.output };
        let dispatch =
            self.dispatch(Shader::WinogradOutput, slots, &params, [1, 1, quads], self.growth(chunk, 1), None);
        Dispatch { activation: self.op.activation, ..dispatch }
    }

    fn count(&self, chunk: Chunk) -> usize {
        chunk.samples * self.tiles.per_sample()
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
