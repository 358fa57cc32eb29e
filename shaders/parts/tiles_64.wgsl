// The tiles of a thread of winograd_product.wgsl where eight threads have a whole block.
struct Tiles {
    near: Four,
    far: Four,
}

// An output channel of each.
struct Channel {
    near: vec4<f32>,
    far: vec4<f32>,
}

fn load(at: vec2<u32>) -> Tiles {
    return Tiles(load_four(at), load_four(at + vec2<u32>(TILE_BLOCK / 2u, 0u)));
}

// The sum with what four input channels and four more make of it.
fn add(sum: Channel, k: vec4<f32>, l: vec4<f32>, v: Tiles, w: Tiles) -> Channel {
    return Channel(sum.near + dots_four(k, l, v.near, w.near), sum.far + dots_four(k, l, v.far, w.far));
}

fn store(at: vec2<u32>, sum: Quad) {
    store_four(at, sum.x.near, sum.y.near, sum.z.near, sum.w.near);
    store_four(at + vec2<u32>(TILE_BLOCK / 2u, 0u), sum.x.far, sum.y.far, sum.z.far, sum.w.far);
}
