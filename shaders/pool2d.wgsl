// Max or average pooling. Padding takes no part: the mean is over the values inside the map.
//
//   y[n, oy, ox, c] = max or mean of x[n, oy * stride.y + ky - before.y, ox * stride.x + kx - before.x, c]
//
// Bindings
//   params   sizes; see Params
//   input    [n * quads] layers of (in_size.y, in_size.x), four channels a texel
//   output   [n * quads] layers of (out_size.y, out_size.x)
//
// Threads: x, y and z are an output texel's.

struct Params {
    in_size: vec2<u32>,
    out_size: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    before: vec2<u32>,
    is_average: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.out_size.x || thread.y >= params.out_size.y {
        return;
    }
    // Below zero wraps around, and is as far outside the map as beyond its end.
    let start = thread.xy * params.stride - params.before;
    // The lowest f32: WGSL has no literal for infinity.
    var largest = vec4<f32>(-3.4028235e38);
    var sum = vec4<f32>();
    var count = 0.0;
    for (var ky = 0u; ky < params.kernel.y; ky++) {
        for (var kx = 0u; kx < params.kernel.x; kx++) {
            let at = start + vec2<u32>(kx, ky);
            if all(at < params.in_size) {
                let value = load_input(at, thread.z);
                largest = max(largest, value);
                sum += value;
                count += 1.0;
            }
        }
    }
    store_texel(thread.xy, thread.z, select(largest, sum / count, params.is_average != 0u));
}
