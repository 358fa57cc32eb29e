// A' M A of F(4x4, 3x3), with the points of parts/forward_4.wgsl. What becomes of the pixels, says parts/tile_whole_4.wgsl or
// tile_pooled_4.wgsl.

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

// A' m: column i holds the powers of point i.
fn transform(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32>, f: vec4<f32>) -> Four {
    let sum1 = b + c;
    let difference1 = 0.70710678118654752 * (b - c);
    let sum2 = d + e;
    let difference2 = 1.4142135623730951 * (d - e);
    return Four(
        a + sum1 + sum2,
        difference1 + difference2,
        0.5 * sum1 + 2.0 * sum2,
        0.5 * difference1 + 2.0 * difference2 + f,
    );
}

fn column(at: vec2<u32>, u: u32) -> Four {
    let first = at + vec2<u32>(u * TILE_BLOCK, 0u);
    return transform(
        load_input(first, 0u),
        load_input(first + vec2<u32>(6u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(12u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(18u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(24u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(30u * TILE_BLOCK, 0u), 0u),
    );
}

fn activated(bias: vec4<f32>, row: Four) -> Four {
    return Four(activate(row.a + bias), activate(row.b + bias), activate(row.c + bias), activate(row.d + bias));
}

// From the texel of frequency 0 to the pixels of a tile.
fn store_inverse(at: vec2<u32>, tile: vec2<u32>, layer: u32, bias: vec4<f32>) {
    let c0 = column(at, 0u);
    let c1 = column(at, 1u);
    let c2 = column(at, 2u);
    let c3 = column(at, 3u);
    let c4 = column(at, 4u);
    let c5 = column(at, 5u);
    store_tile(
        tile,
        layer,
        activated(bias, transform(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a)),
        activated(bias, transform(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b)),
        activated(bias, transform(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c)),
        activated(bias, transform(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d)),
    );
}
