// What dense.wgsl and dense_split.wgsl are given, how they load weights and how they store; the former describes both.

// Quads of units whose weights of one input lie beside each other, before those of the next input.
const GROUP_QUADS = 8u;

struct Params {
    in_width: u32,
    in_quads: u32,
    layer_inputs: u32,
    out_width: u32,
    first_quad: u32,
    quads: u32,
    batch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

// From four inputs, of which i is the first and counted in its layer, to a group's quad of units.
fn load_kernel(i: u32, quad: u32, group: u32, layer: u32) -> mat4x4<f32> {
    let at = vec2<u32>(GROUP_QUADS * i + quad, group);
    return mat4x4<f32>(
        load_weights(at, layer),
        load_weights(at + vec2<u32>(GROUP_QUADS, 0u), layer),
        load_weights(at + vec2<u32>(2u * GROUP_QUADS, 0u), layer),
        load_weights(at + vec2<u32>(3u * GROUP_QUADS, 0u), layer),
    );
}

// Of a quad of the part; beyond it, of its last.
fn bias(part_quad: u32) -> vec4<f32> {
    return channels[min(part_quad, params.quads - 1u)];
}

fn store(sample: u32, part_quad: u32, sum: vec4<f32>) {
    if sample < params.batch && part_quad < params.quads {
        let quad = params.first_quad + part_quad;
        store_texel(vec2<u32>(quad % params.out_width, quad / params.out_width), sample, activate(sum));
    }
}
