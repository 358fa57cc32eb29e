// A shader's output goes into a texture by the buffer that has its memory: lavapipe stores four channels at once to a buffer,
// and one after the other to a texture, each for one thread after the other.
//
//   output   the texture's layers, each of pitch.y texels, in rows of pitch.x texels
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> pitch: vec2<u32>;

fn store_texel(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    output[layer * pitch.y + at.y * pitch.x + at.x] = value;
}
