// The maxima of a tile's 2 x 2 groups of 2 x 2 pixels.
fn store_tile(tile: vec2<u32>, layer: u32, r0: Four, r1: Four, r2: Four, r3: Four) {
    let at = 2u * tile;
    store(at, layer, max(max(r0.a, r0.b), max(r1.a, r1.b)));
    store(at + vec2<u32>(1u, 0u), layer, max(max(r0.c, r0.d), max(r1.c, r1.d)));
    store(at + vec2<u32>(0u, 1u), layer, max(max(r2.a, r2.b), max(r3.a, r3.b)));
    store(at + vec2<u32>(1u, 1u), layer, max(max(r2.c, r2.d), max(r3.c, r3.d)));
}
