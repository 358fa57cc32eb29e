// An elementwise activation by itself, where it could not be fused.
//
//   y = act(x)
//
// Bindings
//   params   sizes; see Params
//   input    layers of (size.y, size.x), four channels a texel
//   output   the same
//
// Threads: x, y and z are a texel's. Channels that fill up the last quad are computed too; nobody reads them.

struct Params {
    size: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.size.x || thread.y >= params.size.y {
        return;
    }
    let x = load_input(thread.xy, thread.z);
    store_texel(thread.xy, thread.z, activate(x));
}
