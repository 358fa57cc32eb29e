// Winograd's minimal filtering, first of three: input tiles to their transform, V = B' d B (Lavin and Gray 2015). A tile has
// OUT + 2 rows and columns; parts/forward_4.wgsl and forward_7.wgsl are the two sizes there are.
//
// Bindings
//   params   sizes; see Params
//   input    [n * in_quads] layers of (in_size.y, in_size.x), four channels a texel
//   output   V: frequency (OUT + 2) * v + u, of rows v and columns u; where, says parts/spectra.wgsl. Tiles are counted over
//            the whole batch; those from first_tile on are here
//
// Threads: x and then y is a tile, z a quad of channels.
//
// Edges: outside the map the input is zero. Threads beyond the chunk's tiles transform its last one once more, because they may
// have to store what others have transformed; blocks are whole, and what they store of their own is read by nobody.

struct Params {
    in_size: vec2<u32>,
    tiles: vec2<u32>,
    before: vec2<u32>,
    in_quads: u32,
    first_tile: u32,
    tile_count: u32,
    squares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// A tile at two frequencies, one after the other.
fn store_frequencies(at: vec2<u32>, frequency: u32, first: vec4<f32>, second: vec4<f32>) {
    let place = at + vec2<u32>(frequency * TILE_BLOCK, 0u);
    store_two(array(place, place + vec2<u32>(TILE_BLOCK, 0u)), 0u, first, second);
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let tile = thread.y * WORKGROUP_WIDTH + thread.x;
    let counted = params.first_tile + min(tile, params.tile_count - 1u);
    let per_sample = params.tiles.x * params.tiles.y;
    let sample = counted / per_sample;
    let within = counted - sample * per_sample;
    let first = vec2<i32>(OUT * grid_place(within, params.tiles.x, params.squares)) - vec2<i32>(params.before);
    store_transform(first.x, first.y, sample * params.in_quads + thread.z, place(tile, 0u, thread.z, params.in_quads));
}
