// What conv2d.wgsl, conv2d_3x3.wgsl and conv2d_image.wgsl are given, and how they store; the second describes all of it.

struct Params {
    in_size: vec2<u32>,
    in_quads: u32,
    out_quads: u32,
    out_size: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    before: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(3) var weights: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

// From four input channels to four output channels and the next four.
struct KernelPair {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

// The bias is in the sum: lavapipe takes longer to load it than to store.
fn store(x: u32, y: u32, sample: u32, quad: u32, sum: vec4<f32>) {
    if x < params.out_size.x && y < params.out_size.y && quad < params.out_quads {
        store_texel(vec2<u32>(x, y), sample * params.out_quads + quad, activate(sum));
    }
}
