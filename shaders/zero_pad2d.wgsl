// A border of zeros around a map.
//
//   y[n, oy, ox, c] = x[n, oy - before.y, ox - before.x, c], zero outside
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
    before: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.out_size.x || thread.y >= params.out_size.y {
        return;
    }
    // Below zero wraps around, and is as far outside the map as beyond its end.
    let at = thread.xy - params.before;
    var value = vec4<f32>();
    if all(at < params.in_size) {
        value = load_input(at, thread.z);
    }
    store_texel(thread.xy, thread.z, value);
}
