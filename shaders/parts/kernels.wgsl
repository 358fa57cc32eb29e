// Quads of output channels that a thread computes: more need more registers than GPUs have.
const TILE_QUADS = 2u;

// To a quad of output channels, each a column, from four input channels.
fn kernel(i: u32, quad: u32, layer: u32) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(
        load_weights(kernel_place(i, quad), layer),
        load_weights(kernel_place(i + 1u, quad), layer),
        load_weights(kernel_place(i + 2u, quad), layer),
        load_weights(kernel_place(i + 3u, quad), layer),
    ));
}

// The same, and from four more. Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Matrices {
    return Matrices(kernel(i, quad, layer), kernel(i + 4u, quad, layer));
}
