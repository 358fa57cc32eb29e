// Quads of output channels that a thread computes: as many as make a loop that the processor's instruction cache holds.
const TILE_QUADS = 4u;

// To a quad of output channels, each a column, from four input channels and four more. Each of eight threads, which are the
// first lanes of a subgroup, loads an input channel's and hands it to the others.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Matrices {
    let rows = hand_out(load_weights(kernel_place(i + thread, quad), layer));
    return Matrices(transpose(rows.a), transpose(rows.b));
}
