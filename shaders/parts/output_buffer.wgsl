// A shader's output goes into a buffer, whose texels lie as pitches.output says.
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

fn store_texel(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    output[texel_index(pitches.output, at, layer)] = value;
}
