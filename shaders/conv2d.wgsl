// Convolution of any kernel size and stride, with bias and activation.
//
//   y[n, oy, ox, o] = act(bias[o] + sum over ky, kx, i of
//                         x[n, oy * stride.y + ky - before.y, ox * stride.x + kx - before.x, i] * kernel[ky, kx, i, o])
//
// Bindings: as in conv2d_3x3.wgsl, with kernel.y * kernel.x taps: layer ky * kernel.x + kx.
//
// Threads: x is a column; y is 4 rows; z is a sample and 2 quads of output channels.
//
// Edges: as in conv2d_3x3.wgsl.

// Output rows and quads of output channels that one thread computes.
const TILE_ROWS = 4u;
const TILE_QUADS = 2u;

struct Params {
    in_size: vec2<u32>,
    in_quads: u32,
    out_quads: u32,
    out_size: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    before: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(2) var output: texture_storage_2d_array<rgba32float, write>;
@group(0) @binding(3) var weights: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

// Four input channels of one pixel, zero outside the map.
fn pixel(x: i32, y: i32, layer: u32) -> vec4<f32> {
    let size = vec2<i32>(params.in_size);
    let inside = x >= 0 && y >= 0 && x < size.x && y < size.y;
    let texel = textureLoad(input, clamp(vec2<i32>(x, y), vec2<i32>(0), size - 1), layer);
    return select(vec4<f32>(), texel, inside);
}

// From four input channels to four output channels.
fn tap(i: u32, quad: u32, layer: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        textureLoad(weights, vec2<u32>(i, quad), layer),
        textureLoad(weights, vec2<u32>(i + 1u, quad), layer),
        textureLoad(weights, vec2<u32>(i + 2u, quad), layer),
        textureLoad(weights, vec2<u32>(i + 3u, quad), layer),
    );
}

fn store(x: u32, y: u32, sample: u32, quad: u32, sum: vec4<f32>) {
    if y < params.out_size.y && quad < params.out_quads {
        let value = activate(sum + channels[quad]);
        textureStore(output, vec2<u32>(x, y), sample * params.out_quads + quad, value);
    }
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.out_size.x {
        return;
    }
    let groups = (params.out_quads + TILE_QUADS - 1u) / TILE_QUADS;
    let sample = thread.z / groups;
    let quad = thread.z % groups * TILE_QUADS;
    let first_row = thread.y * TILE_ROWS;
    let x0 = i32(thread.x * params.stride.x) - i32(params.before.x);
    let y0 = i32(first_row * params.stride.y) - i32(params.before.y);
    let step = i32(params.stride.y);

    var a0 = vec4<f32>();
    var b0 = vec4<f32>();
    var a1 = vec4<f32>();
    var b1 = vec4<f32>();
    var a2 = vec4<f32>();
    var b2 = vec4<f32>();
    var a3 = vec4<f32>();
    var b3 = vec4<f32>();
    for (var k = 0u; k < params.kernel.x * params.kernel.y; k++) {
        let x = x0 + i32(k % params.kernel.x);
        let y = y0 + i32(k / params.kernel.x);
        for (var q = 0u; q < params.in_quads; q++) {
            let layer = sample * params.in_quads + q;
            let ka = tap(4u * q, quad, k);
            let kb = tap(4u * q, quad + 1u, k);
            let v0 = pixel(x, y, layer);
            let v1 = pixel(x, y + step, layer);
            let v2 = pixel(x, y + 2 * step, layer);
            let v3 = pixel(x, y + 3 * step, layer);
            a0 += ka * v0;
            b0 += kb * v0;
            a1 += ka * v1;
            b1 += kb * v1;
            a2 += ka * v2;
            b2 += kb * v2;
            a3 += ka * v3;
            b3 += kb * v3;
        }
    }
    store(thread.x, first_row, sample, quad, a0);
    store(thread.x, first_row + 1u, sample, quad, a1);
    store(thread.x, first_row + 2u, sample, quad, a2);
    store(thread.x, first_row + 3u, sample, quad, a3);
    store(thread.x, first_row, sample, quad + 1u, b0);
    store(thread.x, first_row + 1u, sample, quad + 1u, b1);
    store(thread.x, first_row + 2u, sample, quad + 1u, b2);
    store(thread.x, first_row + 3u, sample, quad + 1u, b3);
}
