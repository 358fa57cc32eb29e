// The bias of conv2d.wgsl and conv2d_3x3.wgsl, and how they store.
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

// The bias is in the sum: lavapipe takes longer to load it than to store.
fn store(x: u32, y: u32, sample: u32, quad: u32, sum: vec4<f32>) {
    if x < params.out_size.x && y < params.out_size.y && quad < params.out_quads {
        store_texel(vec2<u32>(x, y), sample * params.out_quads + quad, activate(sum));
    }
}
