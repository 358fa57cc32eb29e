// A tile's pixels as they are.
fn store_row(at: vec2<u32>, layer: u32, row: Seven) {
    store(at, layer, row.a);
    store(at + vec2<u32>(1u, 0u), layer, row.b);
    store(at + vec2<u32>(2u, 0u), layer, row.c);
    store(at + vec2<u32>(3u, 0u), layer, row.d);
    store(at + vec2<u32>(4u, 0u), layer, row.e);
    store(at + vec2<u32>(5u, 0u), layer, row.f);
    store(at + vec2<u32>(6u, 0u), layer, row.g);
}

fn store_tile(tile: vec2<u32>, layer: u32, r0: Seven, r1: Seven, r2: Seven, r3: Seven, r4: Seven, r5: Seven, r6: Seven) {
    let first = 7u * tile;
    store_row(first, layer, r0);
    store_row(first + vec2<u32>(0u, 1u), layer, r1);
    store_row(first + vec2<u32>(0u, 2u), layer, r2);
    store_row(first + vec2<u32>(0u, 3u), layer, r3);
    store_row(first + vec2<u32>(0u, 4u), layer, r4);
    store_row(first + vec2<u32>(0u, 5u), layer, r5);
    store_row(first + vec2<u32>(0u, 6u), layer, r6);
}
