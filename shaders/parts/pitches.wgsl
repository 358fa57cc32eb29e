// How texels lie in buffers: layers one after the other, and in a layer its rows. Of each buffer, the texels from a row's
// first to the next row's, and from a layer's first to the next layer's.
struct Pitches {
    output: vec2<u32>,
    input: vec2<u32>,
    weights: vec2<u32>,
}

@group(0) @binding(6) var<uniform> pitches: Pitches;

fn texel_index(pitch: vec2<u32>, at: vec2<u32>, layer: u32) -> u32 {
    return layer * pitch.y + at.y * pitch.x + at.x;
}
