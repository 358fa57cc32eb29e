// Winograd's F(4x4, 3x3), second of three: for each frequency, the product of the tiles and the transformed kernel.
//
//   M[frequency][t, o] = sum over i of V[frequency][t, i] * U[frequency][i, o]
//
// Bindings
//   params   sizes; see Params
//   input    V, as winograd_input.wgsl writes it
//   output   M: the same, with quads of output channels
//   weights  U: texel (i, q) of layer frequency is U[frequency][i, 4q .. 4q + 3]; zero where i or q is no channel
//
// Threads: workgroups along x are 2 quads of output channels each, along z frequencies; along y, and in a workgroup of more
// than one row, blocks of 64 tiles. A thread takes every eighth tile of a block. Quads are the fastest, so that a block of V
// stays in the cache while U passes by. A thread keeps its 8 x 8 results in registers, written out as in conv2d_3x3.wgsl.
//
// Edges: blocks are whole, and so are rows of V and M: what lies beyond the tiles is computed and read by nobody.

// Tiles and quads of output channels that one thread computes.
const TILE_TILES = 8u;
const TILE_QUADS = 2u;

struct Params {
    in_quads: u32,
    width: u32,
    rows: u32,
    block_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(2) var output: texture_storage_2d_array<rgba32float, write>;
@group(0) @binding(3) var weights: texture_storage_2d_array<rgba32float, read>;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let block = group.y * WORKGROUP_ROWS + local.y;
    if block >= params.block_count {
        return;
    }
    let first = block * WORKGROUP_WIDTH * TILE_TILES;
    let x = first % params.width + local.x;
    let row = first / params.width;
    let quad = group.x * TILE_QUADS;
    let frequency = group.z;

    var a0 = vec4<f32>();
    var b0 = vec4<f32>();
    var a1 = vec4<f32>();
    var b1 = vec4<f32>();
    var a2 = vec4<f32>();
    var b2 = vec4<f32>();
    var a3 = vec4<f32>();
    var b3 = vec4<f32>();
    var a4 = vec4<f32>();
    var b4 = vec4<f32>();
    var a5 = vec4<f32>();
    var b5 = vec4<f32>();
    var a6 = vec4<f32>();
    var b6 = vec4<f32>();
    var a7 = vec4<f32>();
    var b7 = vec4<f32>();
    for (var q = 0u; q < params.in_quads; q++) {
        let y = q * params.rows + row;
        let v0 = textureLoad(input, vec2<u32>(x, y), frequency);
        let v1 = textureLoad(input, vec2<u32>(x + 8u, y), frequency);
        let v2 = textureLoad(input, vec2<u32>(x + 16u, y), frequency);
        let v3 = textureLoad(input, vec2<u32>(x + 24u, y), frequency);
        let v4 = textureLoad(input, vec2<u32>(x + 32u, y), frequency);
        let v5 = textureLoad(input, vec2<u32>(x + 40u, y), frequency);
        let v6 = textureLoad(input, vec2<u32>(x + 48u, y), frequency);
        let v7 = textureLoad(input, vec2<u32>(x + 56u, y), frequency);
        let ka = kernel(4u * q, quad, frequency);
        a0 += ka * v0;
        a1 += ka * v1;
        a2 += ka * v2;
        a3 += ka * v3;
        a4 += ka * v4;
        a5 += ka * v5;
        a6 += ka * v6;
        a7 += ka * v7;
        let kb = kernel(4u * q, quad + 1u, frequency);
        b0 += kb * v0;
        b1 += kb * v1;
        b2 += kb * v2;
        b3 += kb * v3;
        b4 += kb * v4;
        b5 += kb * v5;
        b6 += kb * v6;
        b7 += kb * v7;
    }
    let y = quad * params.rows + row;
    textureStore(output, vec2<u32>(x, y), frequency, a0);
    textureStore(output, vec2<u32>(x + 8u, y), frequency, a1);
    textureStore(output, vec2<u32>(x + 16u, y), frequency, a2);
    textureStore(output, vec2<u32>(x + 24u, y), frequency, a3);
    textureStore(output, vec2<u32>(x + 32u, y), frequency, a4);
    textureStore(output, vec2<u32>(x + 40u, y), frequency, a5);
    textureStore(output, vec2<u32>(x + 48u, y), frequency, a6);
    textureStore(output, vec2<u32>(x + 56u, y), frequency, a7);
    textureStore(output, vec2<u32>(x, y + params.rows), frequency, b0);
    textureStore(output, vec2<u32>(x + 8u, y + params.rows), frequency, b1);
    textureStore(output, vec2<u32>(x + 16u, y + params.rows), frequency, b2);
    textureStore(output, vec2<u32>(x + 24u, y + params.rows), frequency, b3);
    textureStore(output, vec2<u32>(x + 32u, y + params.rows), frequency, b4);
    textureStore(output, vec2<u32>(x + 40u, y + params.rows), frequency, b5);
    textureStore(output, vec2<u32>(x + 48u, y + params.rows), frequency, b6);
    textureStore(output, vec2<u32>(x + 56u, y + params.rows), frequency, b7);
}
