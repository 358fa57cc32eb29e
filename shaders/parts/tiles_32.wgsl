// The tiles of a thread of winograd_product.wgsl where there are no more than half a block has.
alias Tiles = Four;

fn load(at: vec2<u32>) -> Tiles {
    return load_four(at);
}

fn multiply(k: Kernels, v: Tiles, w: Tiles) -> Tiles {
    return multiply_four(k, v, w);
}

fn add(x: Tiles, y: Tiles) -> Tiles {
    return add_four(x, y);
}

fn store(at: vec2<u32>, sum: Tiles) {
    store_four(at, sum);
}
