// 3x3 convolution with stride 1, bias and activation.
//
//   y[n, oy, ox, o] = act(bias[o] + sum over ky, kx, i of x[n, oy + ky - before.y, ox + kx - before.x, i] * kernel[ky, kx, i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n * in_quads] layers of (in_size.y rows, in_size.x columns), four channels a texel
//   output   [n * out_quads] layers of (out_size.y, out_size.x), four channels a texel
//   weights  [9 taps] layers of (out quads rounded up to 2, 4 * in_quads): texel (i, q) of layer 3 * ky + kx is
//            kernel[ky, kx, i, 4q .. 4q + 3]; zero where i or q is no channel
//   channels bias, four channels an element, zero where there is no channel
//
// Threads: x is a column; y is 8 rows; z is a sample and 2 quads of output channels. A thread keeps its 8 x 8 results in
// registers, and a row of input that it loads serves all three ky. Neighbouring threads load neighbouring texels of the
// input and the same texels of the weights. The tile is written out: as arrays indexed in loops it takes three times as
// long on Mesa's lavapipe, which unrolls nothing, and private arrays are poison to GPUs.
//
// Edges: outside the map the input is zero. Columns beyond the output's width, rows beyond its height and an odd last quad
// are computed and not stored: every thread may have kernels that others need, as parts/kernel_pair_broadcast.wgsl says.

// Output rows and quads of output channels that one thread computes.
const TILE_ROWS = 8u;
const TILE_QUADS = 2u;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let groups = (params.out_quads + TILE_QUADS - 1u) / TILE_QUADS;
    let sample = thread.z / groups;
    let quad = thread.z % groups * TILE_QUADS;
    let first_row = thread.y * TILE_ROWS;
    let x0 = i32(thread.x) - i32(params.before.x);
    let y0 = i32(first_row) - i32(params.before.y);

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
        let layer = sample * params.in_quads + q;
        for (var kx = 0u; kx < 3u; kx++) {
            let x = x0 + i32(kx);
            let v0 = pixel(x, y0, layer);
            let v1 = pixel(x, y0 + 1, layer);
            let v2 = pixel(x, y0 + 2, layer);
            let v3 = pixel(x, y0 + 3, layer);
            let v4 = pixel(x, y0 + 4, layer);
            let v5 = pixel(x, y0 + 5, layer);
            let v6 = pixel(x, y0 + 6, layer);
            let v7 = pixel(x, y0 + 7, layer);
            let v8 = pixel(x, y0 + 8, layer);
            let v9 = pixel(x, y0 + 9, layer);
            let k0 = kernels(4u * q, quad, kx, local.x);
            a0 += k0.a * v0;
            a1 += k0.a * v1;
            a2 += k0.a * v2;
            a3 += k0.a * v3;
            a4 += k0.a * v4;
            a5 += k0.a * v5;
            a6 += k0.a * v6;
            a7 += k0.a * v7;
            b0 += k0.b * v0;
            b1 += k0.b * v1;
            b2 += k0.b * v2;
            b3 += k0.b * v3;
            b4 += k0.b * v4;
            b5 += k0.b * v5;
            b6 += k0.b * v6;
            b7 += k0.b * v7;
            let k1 = kernels(4u * q, quad, kx + 3u, local.x);
            a0 += k1.a * v1;
            a1 += k1.a * v2;
            a2 += k1.a * v3;
            a3 += k1.a * v4;
            a4 += k1.a * v5;
            a5 += k1.a * v6;
            a6 += k1.a * v7;
            a7 += k1.a * v8;
            b0 += k1.b * v1;
            b1 += k1.b * v2;
            b2 += k1.b * v3;
            b3 += k1.b * v4;
            b4 += k1.b * v5;
            b5 += k1.b * v6;
            b6 += k1.b * v7;
            b7 += k1.b * v8;
            let k2 = kernels(4u * q, quad, kx + 6u, local.x);
            a0 += k2.a * v2;
            a1 += k2.a * v3;
            a2 += k2.a * v4;
            a3 += k2.a * v5;
            a4 += k2.a * v6;
            a5 += k2.a * v7;
            a6 += k2.a * v8;
            a7 += k2.a * v9;
            b0 += k2.b * v2;
            b1 += k2.b * v3;
            b2 += k2.b * v4;
            b3 += k2.b * v5;
            b4 += k2.b * v6;
            b5 += k2.b * v7;
            b6 += k2.b * v8;
            b7 += k2.b * v9;
        }
    }
    let bias_a = channels[quad];
    let bias_b = channels[quad + 1u];
    store(thread.x, first_row, sample, quad, a0 + bias_a);
    store(thread.x, first_row + 1u, sample, quad, a1 + bias_a);
    store(thread.x, first_row + 2u, sample, quad, a2 + bias_a);
    store(thread.x, first_row + 3u, sample, quad, a3 + bias_a);
    store(thread.x, first_row + 4u, sample, quad, a4 + bias_a);
    store(thread.x, first_row + 5u, sample, quad, a5 + bias_a);
    store(thread.x, first_row + 6u, sample, quad, a6 + bias_a);
    store(thread.x, first_row + 7u, sample, quad, a7 + bias_a);
    store(thread.x, first_row, sample, quad + 1u, b0 + bias_b);
    store(thread.x, first_row + 1u, sample, quad + 1u, b1 + bias_b);
    store(thread.x, first_row + 2u, sample, quad + 1u, b2 + bias_b);
    store(thread.x, first_row + 3u, sample, quad + 1u, b3 + bias_b);
    store(thread.x, first_row + 4u, sample, quad + 1u, b4 + bias_b);
    store(thread.x, first_row + 5u, sample, quad + 1u, b5 + bias_b);
    store(thread.x, first_row + 6u, sample, quad + 1u, b6 + bias_b);
    store(thread.x, first_row + 7u, sample, quad + 1u, b7 + bias_b);
}
