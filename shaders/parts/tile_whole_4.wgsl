// A tile of 4 x 4 pixels, as it is.
fn store_tile(tile: vec2<u32>, layer: u32, r0: Four, r1: Four, r2: Four, r3: Four) {
    let at = 4u * tile;
    store_row(at, layer, r0);
    store_row(at + vec2<u32>(0u, 1u), layer, r1);
    store_row(at + vec2<u32>(0u, 2u), layer, r2);
    store_row(at + vec2<u32>(0u, 3u), layer, r3);
}

fn store_row(at: vec2<u32>, layer: u32, row: Four) {
    store(at, layer, row.a);
    store(at + vec2<u32>(1u, 0u), layer, row.b);
    store(at + vec2<u32>(2u, 0u), layer, row.c);
    store(at + vec2<u32>(3u, 0u), layer, row.d);
}
