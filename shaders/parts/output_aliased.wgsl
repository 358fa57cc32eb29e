// A shader's output goes into a texture by the buffer that has its memory: lavapipe stores four channels at once to a buffer,
// and one after the other to a texture, each for one thread after the other. Of 64 bits, they are half as many.
//
//   output   the texture's texels, as pitches.output says
@group(0) @binding(2) var<storage, read_write> output: array<vec2<u64>>;

fn store_texel(at: vec2<u32>, layer: u32, value: vec4<f32>) {
    let bits = bitcast<vec4<u32>>(value);
    output[texel_index(pitches.output, at, layer)] = vec2<u64>(bits.xz) | (vec2<u64>(bits.yw) << vec2<u32>(32u));
}
