// A shader's input is in a buffer, whose texels lie as pitches.input says.
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

fn load_input(at: vec2<u32>, layer: u32) -> vec4<f32> {
    return input[texel_index(pitches.input, at, layer)];
}
