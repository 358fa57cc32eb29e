// Quads of output channels that a thread computes: more need more registers than GPUs have.
const TILE_QUADS = 2u;

// Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Kernels {
    return Kernels(transpose(kernel(i, quad, layer)), transpose(kernel(i + 4u, quad, layer)));
}
