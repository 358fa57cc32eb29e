//! Convolutions as matrix products in tiles: `shaders/conv2d_tiled.wgsl`.

use crate::ops::winograd::Filtering;
use crate::ops::{self, Window};

use super::layout::{Layout, TextureSize};
use super::step::{Chunk, Dispatch, DispatchSlots, Growth, Weights};
use super::tile::{SLAB, Tile};
use super::{Limits, MAX_LOOP_STEPS, Shader};

/// A convolution's kernel of so many taps, or its transform, for the shaders with tiles: rows of input channels, columns of
/// quads of output channels.
pub fn weights(from: Layout, to: Layout, taps: usize, transform: Option<Filtering>) -> Weights {
    let layers = transform.map_or(taps, Filtering::frequencies);
    let size = TextureSize { width: to.quads(), height: 4 * from.quads(), layers };
    Weights { size, quads: [0, to.quads()], transform }
}

/// Whether the adapter has room for the kernel, and a shader's loop for its sums.
pub fn takes(op: &ops::Conv2d, from: Layout, to: Layout, limits: &Limits) -> bool {
    let taps = op.window.taps();
    let size = weights(from, to, taps, None).size;
    taps * from.shape.channels().div_ceil(SLAB) <= MAX_LOOP_STEPS
        && size.bytes() <= limits.max_weights_bytes
        && size.check(limits).is_ok()
}

/// The whole batch's pixels are the rows of one product.
pub fn conv2d(op: &ops::Conv2d, from: Layout, to: Layout, slots: DispatchSlots, batch: usize, tile: Tile) -> Dispatch {
    let Window { kernel, stride, before, .. } = op.window;
    let numbers = [
        [from.width, from.height],
        [from.quads(), to.quads()],
        [to.width, to.height],
        [kernel[1], kernel[0]],
        [stride[1], stride[0]],
        [before[1], before[0]],
    ];
    let numbers = numbers.as_flattened().iter().copied().chain([batch]);
    Dispatch {
        shader: Shader::Conv2dTiled(tile),
        slots,
        activation: op.activation,
        params: numbers.map(|number| number as u32).collect(),
        workgroups: [to.quads().div_ceil(tile.quads()), 1, 1],
        growth: Growth::Tiles {
            chunk: Chunk { first: 0, count: batch * to.width * to.height },
            per_sample: to.width * to.height,
            per_group: tile.rows(),
        },
        weights: Some(weights(from, to, op.window.taps(), None)),
    }
}
