// 8-bit RGB pixels to the network's input, by a table for each channel.
//
//   y[n, h, w, c] = table[c][pixels[n, h, w, source[c]]]
//
// Bindings
//   params   sizes; see Params
//   output   [n] layers of (size.y, size.x): three channels, and zero
//   channels source[0], source[1], source[2] as numbers, an unused value, then the three tables of 256 values
//   pixels   RGB, 8 bits each, [n, h, w, 3], four bytes an element, the first in the lowest bits
//
// Threads: x and y are a pixel's, z is the sample.

struct Params {
    size: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> channels: array<f32>;
@group(0) @binding(5) var<storage, read> pixels: array<u32>;

fn value(pixel: u32, channel: u32) -> f32 {
    let byte = pixel * 3u + u32(channels[channel]);
    let level = (pixels[byte / 4u] >> (8u * (byte % 4u))) & 255u;
    return channels[4u + 256u * channel + level];
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.size.x || thread.y >= params.size.y {
        return;
    }
    let pixel = (thread.z * params.size.y + thread.y) * params.size.x + thread.x;
    store_texel(thread.xy, thread.z, vec4<f32>(value(pixel, 0u), value(pixel, 1u), value(pixel, 2u), 0.0));
}
