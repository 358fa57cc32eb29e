// Winograd's minimal filtering, second of three: for each frequency, the product of the tiles and the transformed kernel.
//
//   M[frequency][t, o] = sum over i of V[frequency][t, i] * U[frequency][i, o]
//
// Bindings
//   params   sizes; see Params
//   input    V, as winograd_input.wgsl writes it
//   output   M: the same, with quads of output channels, in rows rounded up to those that a thread computes
//   weights  U: texel (4 * i + q % 4, q / 4) of layer frequency is U[frequency][i, 4q .. 4q + 3]; zero where i or q is no
//            channel, i being rounded up to 8. So what four quads read in turn is one stream, which processors fetch ahead
//
// Threads: workgroups along x are TILE_QUADS quads of output channels each, which are two or four, along z frequencies;
// along y, and in a workgroup of more than one row, blocks of 64 tiles. A thread takes every eighth pair of a block's tiles
// (parts/tiles_64.wgsl), or of its first half's where that has all there are (parts/tiles_32.wgsl). Quads are the fastest, so
// that a block of V stays in the cache while U passes by. A thread keeps its results in registers, which are written out:
// WGSL has no repetition, and arrays lie in memory on some adapters. An iteration takes two quads of input channels:
// lavapipe keeps what a loop carries in memory, and copies it under a mask once in each iteration.
//
// Edges: blocks are whole: what lies beyond the tiles is computed and read by nobody. Beyond an odd number of quads of
// input channels, the last one is multiplied by zeros. Rows of a workgroup beyond the blocks compute the last one again.

struct Params {
    in_quads: u32,
    block_rows: u32,
    block_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// Quads of output channels whose kernels of one input channel lie beside each other, before those of the next channel.
const GROUP_QUADS = 4u;

// Where the kernel from an input channel to a quad of output channels is.
fn kernel_place(i: u32, quad: u32) -> vec2<u32> {
    return vec2<u32>(GROUP_QUADS * i + quad % GROUP_QUADS, quad / GROUP_QUADS);
}

// Four channels of four tiles: of a pair, and of the pair eight pairs further.
struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn load_four(at: vec2<u32>) -> Four {
    return Four(
        load_input(at, 0u),
        load_input(at + vec2<u32>(1u, 0u), 0u),
        load_input(at + vec2<u32>(16u, 0u), 0u),
        load_input(at + vec2<u32>(17u, 0u), 0u),
    );
}

// An output channel of four tiles, from four input channels and four more.
fn dots_four(k: vec4<f32>, l: vec4<f32>, v: Four, w: Four) -> vec4<f32> {
    return vec4<f32>(
        dot(k, v.a) + dot(l, w.a),
        dot(k, v.b) + dot(l, w.b),
        dot(k, v.c) + dot(l, w.c),
        dot(k, v.d) + dot(l, w.d),
    );
}

// Four output channels of four tiles.
fn store_four(at: vec2<u32>, x: vec4<f32>, y: vec4<f32>, z: vec4<f32>, w: vec4<f32>) {
    let texels = transpose(mat4x4<f32>(x, y, z, w));
    store_pair(at, 0u, texels[0], texels[1]);
    store_pair(at + vec2<u32>(16u, 0u), 0u, texels[2], texels[3]);
}

// Four output channels of a thread's tiles.
struct Quad {
    x: Channel,
    y: Channel,
    z: Channel,
    w: Channel,
}

fn add_quad(sum: Quad, k: Matrices, v: Tiles, w: Tiles) -> Quad {
    return Quad(
        add(sum.x, k.a[0], k.b[0], v, w),
        add(sum.y, k.a[1], k.b[1], v, w),
        add(sum.z, k.a[2], k.b[2], v, w),
        add(sum.w, k.a[3], k.b[3], v, w),
    );
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let block = min(group.y * WORKGROUP_ROWS + local.y, params.block_count - 1u);
    let tile = block * TILE_BLOCK + 2u * local.x;
    let quad = group.x * TILE_QUADS;
    let frequency = group.z;
    let first = place(tile, frequency, 0u, params.in_quads);
    let last = first.y + params.in_quads - 1u;

    var sum0 = Quad();
    var sum1 = Quad();
    var sum2 = Quad();
    var sum3 = Quad();
    for (var q = 0u; q < params.in_quads; q += 2u) {
        let v = load(first + vec2<u32>(0u, q));
        let w = load(vec2<u32>(first.x, min(first.y + q + 1u, last)));
        sum0 = add_quad(sum0, kernels(4u * q, quad, frequency, local.x), v, w);
        sum1 = add_quad(sum1, kernels(4u * q, quad + 1u, frequency, local.x), v, w);
        if TILE_QUADS == 4u {
            sum2 = add_quad(sum2, kernels(4u * q, quad + 2u, frequency, local.x), v, w);
            sum3 = add_quad(sum3, kernels(4u * q, quad + 3u, frequency, local.x), v, w);
        }
    }
    let at = place(tile, frequency, quad, params.block_rows);
    store(at, sum0);
    store(at + vec2<u32>(0u, 1u), sum1);
    if TILE_QUADS == 4u {
        store(at + vec2<u32>(0u, 2u), sum2);
        store(at + vec2<u32>(0u, 3u), sum3);
    }
}
