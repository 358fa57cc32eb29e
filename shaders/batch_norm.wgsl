// Batch normalisation by itself, where it could not be folded, reduced to a scale and a shift.
//
//   y[.., c] = x[.., c] * scale[c] + shift[c]
//
// Bindings
//   params   sizes; see Params
//   input    a map: [n * quads] layers of (size.y, size.x); a vector: [n] layers whose texels are its quads, row by row
//   output   the same
//   channels scale for each quad, then shift for each quad
//
// Threads: x, y and z are a texel's.

struct Params {
    size: vec2<u32>,
    quads: u32,
    is_vector: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let quad = select(thread.z % params.quads, thread.y * params.size.x + thread.x, params.is_vector != 0u);
    if thread.x >= params.size.x || thread.y >= params.size.y || quad >= params.quads {
        return;
    }
    let x = load_input(thread.xy, thread.z);
    store_texel(thread.xy, thread.z, x * channels[quad] + channels[params.quads + quad]);
}
