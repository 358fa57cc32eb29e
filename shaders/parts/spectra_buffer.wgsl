// A shader's spectra go into a texture by the buffer that has its memory: lavapipe stores four channels at once to a buffer,
// and one after the other to a texture, each for one thread after the other.
//
//   output   the texture's rows, each of pitch texels
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> pitch: u32;

fn store_texel(at: vec2<u32>, value: vec4<f32>) {
    output[at.y * pitch + at.x] = value;
}
