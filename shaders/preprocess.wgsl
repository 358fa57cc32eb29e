// 8-bit RGB pixels to the network's input, by a table for each byte of a pixel.
//
//   y[n, h, w, c] = sum over b of table[b, pixels[n, h, w, b], c]
//
// Bindings
//   params   sizes; see Params
//   output   [n] layers of (size.y, size.x): three channels, and zero
//   weights  [1] layer of (3 bytes, 256 levels): texel (level, b) is what a byte of such a level is in each channel, which is
//            zero in all but one, so that nothing is rounded
//   pixels   RGB, 8 bits each, [n, h, w, 3], four bytes an element, the first in the lowest bits
//
// Threads: x and y are a pixel's, z is the sample. One loads the two elements that its three bytes may be in: lavapipe takes
// long to load from buffers.

struct Params {
    size: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(5) var<storage, read> pixels: array<u32>;

// What a byte of a pixel, the first of which is in the lowest bits, is in each channel.
fn value(bits: u32, byte: u32) -> vec4<f32> {
    return load_weights(vec2<u32>((bits >> (8u * byte)) & 255u, byte), 0u);
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= params.size.x || thread.y >= params.size.y {
        return;
    }
    let first = 3u * ((thread.z * params.size.y + thread.y) * params.size.x + thread.x);
    let shift = 8u * (first % 4u);
    // In two steps, because 32 bits are no shift.
    let bits = (pixels[first / 4u] >> shift) | ((pixels[(first + 2u) / 4u] << 8u) << (24u - shift));
    store_texel(thread.xy, thread.z, value(bits, 0u) + value(bits, 1u) + value(bits, 2u));
}
