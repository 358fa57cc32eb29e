// A shader's weights are in a buffer, whose texels lie as pitches.weights says.
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;

fn load_weights(at: vec2<u32>, layer: u32) -> vec4<f32> {
    return weights[texel_index(pitches.weights, at, layer)];
}
