// A map read as a vector.
//
//   y[n, (h * width + w) * channels + c] = x[n, h, w, c]
//
// Bindings
//   params   sizes; see Params
//   input    [n * in_layers] layers, in_width columns, four channels a texel
//   output   [n] layers of (out_size.y, out_size.x) whose texels are the vector's quads, row by row
//
// Threads: x and y are an output texel's, z is the sample. Where the channels are no multiple of 4, the four values of an
// output texel come from different input texels. Beyond the vector's end they are zero.

struct Params {
    in_width: u32,
    in_layers: u32,
    channels: u32,
    length: u32,
    out_size: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;

fn element(index: u32, sample: u32) -> f32 {
    if index >= params.length {
        return 0.0;
    }
    let channel = index % params.channels;
    let pixel = index / params.channels;
    let at = vec2<u32>(pixel % params.in_width, pixel / params.in_width);
    let texel = load_input(at, sample * params.in_layers + channel / 4u);
    // Not texel[channel % 4u]: registers have no addresses.
    let half = select(texel.xy, texel.zw, (channel & 2u) != 0u);
    return select(half.x, half.y, (channel & 1u) != 0u);
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.out_size.x || thread.y >= params.out_size.y {
        return;
    }
    let first = (thread.y * params.out_size.x + thread.x) * 4u;
    let value = vec4<f32>(
        element(first, thread.z),
        element(first + 1u, thread.z),
        element(first + 2u, thread.z),
        element(first + 3u, thread.z),
    );
    store_texel(thread.xy, thread.z, value);
}
