// The tiles of a thread of winograd_product.wgsl where eight threads have a whole block.
struct Tiles {
    near: Four,
    far: Four,
}

fn load(at: vec2<u32>) -> Tiles {
    return Tiles(load_four(at), load_four(at + vec2<u32>(TILE_BLOCK / 2u, 0u)));
}

fn multiply(k: Kernels, v: Tiles, w: Tiles) -> Tiles {
    return Tiles(multiply_four(k, v.near, w.near), multiply_four(k, v.far, w.far));
}

fn add(x: Tiles, y: Tiles) -> Tiles {
    return Tiles(add_four(x.near, y.near), add_four(x.far, y.far));
}

fn store(at: vec2<u32>, sum: Tiles) {
    store_four(at, sum.near);
    store_four(at + vec2<u32>(TILE_BLOCK / 2u, 0u), sum.far);
}
