// Winograd's F(4x4, 3x3), last of three: products back to 4 x 4 pixels, Y = A' M A, with bias and activation, and a max pool
// of 2 x 2 behind it where it is compiled with parts/tile_pooled.wgsl.
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
}

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(2) var output: texture_storage_2d_array<rgba32float, write>;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

// A' m: column i holds the powers of point i.
fn transform(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32>, f: vec4<f32>) -> Four {
    let sum1 = b + c;
    let difference1 = 0.70710678118654752 * (b - c);
    let sum2 = d + e;
    let difference2 = 1.4142135623730951 * (d - e);
    return Four(
        a + sum1 + sum2,
        difference1 + difference2,
        0.5 * sum1 + 2.0 * sum2,
        0.5 * difference1 + 2.0 * difference2 + f,
    );
}

fn column(at: vec2<u32>, u: u32) -> Four {
    let first = at + vec2<u32>(u * TILE_BLOCK, 0u);
    return transform(
        textureLoad(input, first, 0u),
        textureLoad(input, first + vec2<u32>(6u * TILE_BLOCK, 0u), 0u),
        textureLoad(input, first + vec2<u32>(12u * TILE_BLOCK, 0u), 0u),
        textureLoad(input, first + vec2<u32>(18u * TILE_BLOCK, 0u), 0u),
        textureLoad(input, first + vec2<u32>(24u * TILE_BLOCK, 0u), 0u),
        textureLoad(input, first + vec2<u32>(30u * TILE_BLOCK, 0u), 0u),
    );
}

fn activated(bias: vec4<f32>, row: Four) -> Four {
    return Four(activate(row.a + bias), activate(row.b + bias), activate(row.c + bias), activate(row.d + bias));
}

fn store(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    if all(at < params.out_size) {
        textureStore(output, at, layer, value);
    }
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let tile = thread.y * WORKGROUP_WIDTH + thread.x;
    if tile >= params.tile_count {
        return;
    }
    let at = place(tile, 0u, thread.z, params.block_rows);
    let c0 = column(at, 0u);
    let c1 = column(at, 1u);
    let c2 = column(at, 2u);
    let c3 = column(at, 3u);
    let c4 = column(at, 4u);
    let c5 = column(at, 5u);
    let per_sample = params.tiles.x * params.tiles.y;
    // Two divisions and no remainders: lavapipe divides lane by lane.
    let sample = (params.first_tile + tile) / per_sample;
    let within = params.first_tile + tile - sample * per_sample;
    let row = within / params.tiles.x;
    let layer = sample * params.out_quads + thread.z;
    let bias = channels[thread.z];
    store_tile(
        vec2<u32>(within - row * params.tiles.x, row),
        layer,
        activated(bias, transform(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a)),
        activated(bias, transform(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b)),
        activated(bias, transform(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c)),
        activated(bias, transform(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d)),
    );
}
