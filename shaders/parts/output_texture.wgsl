// A shader's output goes into a texture.
@group(0) @binding(2) var output: texture_storage_2d_array<rgba32float, write>;

fn store_texel(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    textureStore(output, at, layer, value);
}
