// The maxima over 2 x 2 pixels of a square of two by two tiles, which four neighbouring threads have: 7 x 7 of them. As a
// tile's side is odd, the upper tiles' last rows and the lower ones' first are one half of a maximum, likewise columns; the
// threads hand them to each other, being the first lanes of a subgroup in their order.

// Three maxima of a row or column, and its pixel that is one half of another.
struct Maxima {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    half: vec4<f32>,
}

// Of two rows.
fn larger(x: Seven, y: Seven) -> Seven {
    return Seven(
        max(x.a, y.a),
        max(x.b, y.b),
        max(x.c, y.c),
        max(x.d, y.d),
        max(x.e, y.e),
        max(x.f, y.f),
        max(x.g, y.g),
    );
}

fn choose(x: Seven, y: Seven, second: bool) -> Seven {
    return Seven(
        select(x.a, y.a, second),
        select(x.b, y.b, second),
        select(x.c, y.c, second),
        select(x.d, y.d, second),
        select(x.e, y.e, second),
        select(x.f, y.f, second),
        select(x.g, y.g, second),
    );
}

fn along_row(x: Seven, right: bool) -> Maxima {
    return Maxima(
        max(x.b, select(x.a, x.c, right)),
        max(x.d, select(x.c, x.e, right)),
        max(x.f, select(x.e, x.g, right)),
        select(x.g, x.a, right),
    );
}

// The larger of this thread's and another's.
fn shared_maximum(x: vec4<f32>, other: u32) -> vec4<f32> {
    return max(x, subgroupShuffleXor(x, other));
}

fn store_row(at: vec2<u32>, layer: u32, row: Maxima) {
    store(at, layer, row.a);
    store(at + vec2<u32>(1u, 0u), layer, row.b);
    store(at + vec2<u32>(2u, 0u), layer, row.c);
}

fn store_tile(tile: vec2<u32>, layer: u32, r0: Seven, r1: Seven, r2: Seven, r3: Seven, r4: Seven, r5: Seven, r6: Seven) {
    let right = tile.x % 2u == 1u;
    let lower = tile.y % 2u == 1u;
    let m0 = along_row(larger(r1, choose(r0, r2, lower)), right);
    let m1 = along_row(larger(r3, choose(r2, r4, lower)), right);
    let m2 = along_row(larger(r5, choose(r4, r6, lower)), right);
    let own = along_row(choose(r6, r0, lower), right);
    // The threads of the tiles beside this one, above or below it, and across are 1, 2 and 3 away.
    let a = shared_maximum(own.a, 2u);
    let b = shared_maximum(own.b, 2u);
    let c = shared_maximum(own.c, 2u);
    let middle = shared_maximum(shared_maximum(own.half, 2u), 1u);
    let half0 = shared_maximum(m0.half, 1u);
    let half1 = shared_maximum(m1.half, 1u);
    let half2 = shared_maximum(m2.half, 1u);
    let square = 7u * (tile / 2u);
    let first = square + 4u * (tile % 2u);
    store_row(first, layer, m0);
    store_row(first + vec2<u32>(0u, 1u), layer, m1);
    store_row(first + vec2<u32>(0u, 2u), layer, m2);
    if !right {
        let column = vec2<u32>(square.x + 3u, first.y);
        store(column, layer, half0);
        store(column + vec2<u32>(0u, 1u), layer, half1);
        store(column + vec2<u32>(0u, 2u), layer, half2);
    }
    if !lower {
        store_row(vec2<u32>(first.x, square.y + 3u), layer, Maxima(a, b, c, middle));
    }
    if !right && !lower {
        store(square + 3u, layer, middle);
    }
}
