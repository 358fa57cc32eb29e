// The tiles of a thread of winograd_product.wgsl where there are no more than half a block has.
alias Tiles = Four;

// An output channel of each.
alias Channel = vec4<f32>;

fn load(at: vec2<u32>) -> Tiles {
    return load_four(at);
}

// The sum with what four input channels and four more make of it.
fn add(sum: Channel, k: vec4<f32>, l: vec4<f32>, v: Tiles, w: Tiles) -> Channel {
    return sum + dots_four(k, l, v, w);
}

fn store(at: vec2<u32>, sum: Quad) {
    store_four(at, sum.x, sum.y, sum.z, sum.w);
}
