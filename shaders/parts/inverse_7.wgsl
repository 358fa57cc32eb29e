// A' M A of F(7x7, 3x3), with the points of parts/forward_7.wgsl. What becomes of the pixels, says parts/tile_whole_7.wgsl or
// tile_pooled_7.wgsl.

struct Seven {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
    g: vec4<f32>,
}

// A' m: column i holds the powers of point i.
fn transform(
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
    g: vec4<f32>,
    h: vec4<f32>,
    i: vec4<f32>,
) -> Seven {
    let sum1 = a + b;
    let difference1 = a - b;
    let sum2 = c + d;
    let difference2 = c - d;
    let sum3 = e + f;
    let difference3 = e - f;
    let sum4 = g + h;
    let difference4 = g - h;
    return Seven(
        sum1 + sum2 + sum3 + sum4,
        0.25 * difference1 + 0.6875 * difference2 + 1.125 * difference3 + 2.0625 * difference4,
        0.0625 * sum1 + 0.47265625 * sum2 + 1.265625 * sum3 + 4.25390625 * sum4,
        0.015625 * difference1 + 0.324951171875 * difference2 + 1.423828125 * difference3 + 8.773681640625 * difference4,
        0.00390625 * sum1 + 0.2234039306640625 * sum2 + 1.601806640625 * sum3 + 18.095718383789062 * sum4,
        0.0009765625 * difference1 + 0.15359020233154297 * difference2 + 1.802032470703125 * difference3 + 37.32241916656494 * difference4,
        0.000244140625 * sum1 + 0.10559326410293579 * sum2 + 2.0272865295410156 * sum3 + 76.97748953104019 * sum4 + i,
    );
}

fn column(at: vec2<u32>, u: u32) -> Seven {
    let first = at + vec2<u32>(u * TILE_BLOCK, 0u);
    return transform(
        load_input(first, 0u),
        load_input(first + vec2<u32>(9u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(18u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(27u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(36u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(45u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(54u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(63u * TILE_BLOCK, 0u), 0u),
        load_input(first + vec2<u32>(72u * TILE_BLOCK, 0u), 0u),
    );
}

fn activated(bias: vec4<f32>, row: Seven) -> Seven {
    return Seven(
        activate(row.a + bias),
        activate(row.b + bias),
        activate(row.c + bias),
        activate(row.d + bias),
        activate(row.e + bias),
        activate(row.f + bias),
        activate(row.g + bias),
    );
}

// From the texel of frequency 0 to the pixels of a tile.
fn store_inverse(at: vec2<u32>, tile: vec2<u32>, layer: u32, bias: vec4<f32>) {
    let c0 = column(at, 0u);
    let c1 = column(at, 1u);
    let c2 = column(at, 2u);
    let c3 = column(at, 3u);
    let c4 = column(at, 4u);
    let c5 = column(at, 5u);
    let c6 = column(at, 6u);
    let c7 = column(at, 7u);
    let c8 = column(at, 8u);
    store_tile(
        tile,
        layer,
        activated(bias, transform(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a, c6.a, c7.a, c8.a)),
        activated(bias, transform(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b, c6.b, c7.b, c8.b)),
        activated(bias, transform(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c, c6.c, c7.c, c8.c)),
        activated(bias, transform(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d, c6.d, c7.d, c8.d)),
        activated(bias, transform(c0.e, c1.e, c2.e, c3.e, c4.e, c5.e, c6.e, c7.e, c8.e)),
        activated(bias, transform(c0.f, c1.f, c2.f, c3.f, c4.f, c5.f, c6.f, c7.f, c8.f)),
        activated(bias, transform(c0.g, c1.g, c2.g, c3.g, c4.g, c5.g, c6.g, c7.g, c8.g)),
    );
}
