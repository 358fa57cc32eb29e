// A shader's weights are in a texture.
@group(0) @binding(3) var weights: texture_storage_2d_array<rgba32float, read>;

fn load_weights(at: vec2<u32>, layer: u32) -> vec4<f32> {
    return textureLoad(weights, at, layer);
}
