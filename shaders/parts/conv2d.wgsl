// What conv2d.wgsl, conv2d_3x3.wgsl and conv2d_image.wgsl are given; the second describes all of it.

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
