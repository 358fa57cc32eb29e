// Quads of output channels that a thread computes: more need more registers than GPUs have.
const TILE_QUADS = 2u;

// From eight input channels, four and four, to four output channels.
struct Kernels {
    first: mat4x4<f32>,
    second: mat4x4<f32>,
}

// Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Kernels {
    return Kernels(kernel(i, quad, layer), kernel(i + 4u, quad, layer));
}
