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
            let ka = kernel(4u * q, quad, k);
            let kb = kernel(4u * q, quad + 1u, k);
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
    let bias_a = channels[quad];
    let bias_b = channels[quad + 1u];
    store(thread.x, first_row, sample, quad, a0 + bias_a);
    store(thread.x, first_row + 1u, sample, quad, a1 + bias_a);
    store(thread.x, first_row + 2u, sample, quad, a2 + bias_a);
    store(thread.x, first_row + 3u, sample, quad, a3 + bias_a);
    store(thread.x, first_row, sample, quad + 1u, b0 + bias_b);
    store(thread.x, first_row + 1u, sample, quad + 1u, b1 + bias_b);
    store(thread.x, first_row + 2u, sample, quad + 1u, b2 + bias_b);
    store(thread.x, first_row + 3u, sample, quad + 1u, b3 + bias_b);
}
