// Winograd's minimal filtering, last of three: products back to pixels, Y = A' M A, with bias and activation, and a max pool
// of 2 x 2 behind it where it is compiled with parts/tile_pooled_4.wgsl or tile_pooled_7.wgsl. A tile has as many pixels as in winograd_input.wgsl;
// parts/inverse_4.wgsl and inverse_7.wgsl are the two sizes there are.
//
// Bindings
//   params   sizes; see Params
//   input    M, as winograd_product.wgsl writes it
//   output   [n * out_quads] layers of (out_size.y, out_size.x), four channels a texel: the map, or the pool's
//   channels bias, four channels an element, zero where there is no channel
//
// Threads: x and then y is a tile, z a quad of output channels.
//
// Edges: pixels beyond the output are not stored; a pool drops a last odd row or column. Threads beyond the chunk's tiles end at once.

struct Params {
    out_size: vec2<u32>,
    tiles: vec2<u32>,
    out_quads: u32,
    block_rows: u32,
    first_tile: u32,
    tile_count: u32,
    squares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

fn store(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    if all(at < params.out_size) {
        store_texel(at, layer, value);
    }
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let tile = thread.y * WORKGROUP_WIDTH + thread.x;
    if tile >= params.tile_count {
        return;
    }
    let per_sample = params.tiles.x * params.tiles.y;
    let sample = (params.first_tile + tile) / per_sample;
    let within = params.first_tile + tile - sample * per_sample;
    store_inverse(
        place(tile, 0u, thread.z, params.block_rows),
        grid_place(within, params.tiles.x, params.squares),
        sample * params.out_quads + thread.z,
        channels[thread.z],
    );
}
