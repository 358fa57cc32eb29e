// Winograd's F(4x4, 3x3), second of three, as winograd_product.wgsl has it, for GPUs whose workgroup memory is fast.
//
//   M[frequency][t, o] = sum over i of V[frequency][t, i] * U[frequency][i, o]
//
// Bindings
//   params   sizes; see Params
//   input    V, as winograd_input.wgsl writes it
//   output   M: the same, with quads of output channels
//   weights  U: texel (q, i) of layer frequency is U[frequency][i, 4q .. 4q + 3]; zero where q is no channel
//
// Threads: workgroups along x are tiles' columns (output channels), along y tiles' rows (Winograd's tiles), along z
// frequencies; within a workgroup as in parts/tile.wgsl.
//
// Edges: tiles, channels and quads beyond the last are read as the last; input channels beyond are zero on the left;
// what lies beyond the tiles or quads is not stored.

struct Params {
    in_quads: u32,
    out_quads: u32,
    block_rows: u32,
    tile_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

var<private> group: vec3<u32>;

// Column and row of a tile's first quad.
fn left_row(row: u32) -> vec3<i32> {
    let t = min(group.y * TILE_ROWS + row, params.tile_count - 1u);
    return vec3<i32>(vec3<u32>(place(t, group.z, 0u, params.in_quads), 0u));
}

fn load_left(first: vec3<i32>, slab: u32, q: u32) -> vec4<f32> {
    let quad = slab * SLAB_QUADS + q;
    let y = first.y + i32(min(quad, params.in_quads - 1u));
    let value = load_input(vec2<u32>(vec2<i32>(first.x, y)), 0u);
    return select(vec4<f32>(), value, quad < params.in_quads);
}

fn load_right(slab: u32, k: u32, quad: u32) -> vec4<f32> {
    let i = min(slab * SLAB + k, 4u * params.in_quads - 1u);
    let q = min(group.x * TILE_QUADS + quad, params.out_quads - 1u);
    return load_weights(vec2<u32>(q, i), group.z);
}

fn store(row: u32, quad: u32, sum: vec4<f32>) {
    let t = group.y * TILE_ROWS + row;
    let q = group.x * TILE_QUADS + quad;
    if t < params.tile_count && q < params.out_quads {
        store_texel(place(t, group.z, q, params.block_rows), 0u, sum);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    group = workgroup;
    let slabs = (params.in_quads + SLAB_QUADS - 1u) / SLAB_QUADS;
    store_sums(thread, product(slabs, thread));
}
