// From four input channels to four output channels.
fn kernel(i: u32, quad: u32, layer: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        load_weights(vec2<u32>(i, quad), layer),
        load_weights(vec2<u32>(i + 1u, quad), layer),
        load_weights(vec2<u32>(i + 2u, quad), layer),
        load_weights(vec2<u32>(i + 3u, quad), layer),
    );
}
