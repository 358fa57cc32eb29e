// Four input channels of one pixel, zero outside the map.
fn pixel(x: i32, y: i32, layer: u32) -> vec4<f32> {
    let size = vec2<i32>(params.in_size);
    let inside = x >= 0 && y >= 0 && x < size.x && y < size.y;
    let texel = load_input(vec2<u32>(clamp(vec2<i32>(x, y), vec2<i32>(0), size - 1)), layer);
    return select(vec4<f32>(), texel, inside);
}
