// A shader's input is in a texture.
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;

fn load_input(at: vec2<u32>, layer: u32) -> vec4<f32> {
    return textureLoad(input, at, layer);
}
