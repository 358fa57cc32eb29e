// As parts/output_aliased.wgsl, two texels at once, the left one in an even column: lavapipe then goes through the threads half
// as often.
//
//   output   the texture's texels, as pitches.output says, two an element
@group(0) @binding(2) var<storage, read_write> output: array<vec4<u64>>;

fn store_pair(at: vec2<u32>, layer: u32, left: vec4<f32>, right: vec4<f32>) {
    let low = bitcast<vec4<u32>>(vec4<f32>(left.xz, right.xz));
    let high = bitcast<vec4<u32>>(vec4<f32>(left.yw, right.yw));
    output[texel_index(pitches.output, at, layer) / 2u] = vec4<u64>(low) | (vec4<u64>(high) << vec4<u32>(32u));
}

// What a thread stores in place of its own two texels: one of them and its neighbour's beside it. The neighbour in the other
// column of the pair stores the other two, so that both must be running.
struct Exchanged {
    at: vec2<u32>,
    left: vec4<f32>,
    right: vec4<f32>,
}

fn exchange(at: array<vec2<u32>, 2>, first: vec4<f32>, second: vec4<f32>) -> Exchanged {
    let is_left = at[0].x % 2u == 0u;
    let other = quadSwapX(select(first, second, is_left));
    return Exchanged(
        select(at[1] - vec2<u32>(1u, 0u), at[0], is_left),
        select(other, first, is_left),
        select(second, other, is_left),
    );
}

fn store_two(at: array<vec2<u32>, 2>, layer: u32, first: vec4<f32>, second: vec4<f32>) {
    let own = exchange(at, first, second);
    store_pair(own.at, layer, own.left, own.right);
}

fn store_two_within(size: vec2<u32>, at: array<vec2<u32>, 2>, layer: u32, first: vec4<f32>, second: vec4<f32>) {
    let own = exchange(at, first, second);
    if all(own.at < size) {
        store_pair(own.at, layer, own.left, own.right);
    }
}
