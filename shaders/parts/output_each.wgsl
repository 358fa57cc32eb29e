// Several texels, stored one by one.

// Two texels beside each other, the left one at an even column.
fn store_pair(at: vec2<u32>, layer: u32, left: vec4<f32>, right: vec4<f32>) {
    store_texel(at, layer, left);
    store_texel(at + vec2<u32>(1u, 0u), layer, right);
}

// Two texels of a thread, in columns that are both even or both odd; its neighbour, even and odd numbers being neighbours,
// stores those beside them at the same time.
fn store_two(at: array<vec2<u32>, 2>, layer: u32, first: vec4<f32>, second: vec4<f32>) {
    store_texel(at[0], layer, first);
    store_texel(at[1], layer, second);
}

// The same, for those of them that are within a map of `size`.
fn store_two_within(size: vec2<u32>, at: array<vec2<u32>, 2>, layer: u32, first: vec4<f32>, second: vec4<f32>) {
    if all(at[0] < size) {
        store_texel(at[0], layer, first);
    }
    if all(at[1] < size) {
        store_texel(at[1], layer, second);
    }
}
