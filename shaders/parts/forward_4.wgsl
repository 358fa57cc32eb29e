// B' d B of F(4x4, 3x3), with the interpolation points 0, +-sqrt(1/2), +-sqrt(2) and infinity. Six columns of a tile are
// transformed, then the six rows of what comes out; written out, because arrays indexed in loops live in memory.

// Rows and columns of an output tile.
const OUT = 4u;

struct Six {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
}

fn column(x: i32, y: i32, layer: u32) -> Six {
    return transform(Six(
        pixel(x, y, layer),
        pixel(x, y + 1, layer),
        pixel(x, y + 2, layer),
        pixel(x, y + 3, layer),
        pixel(x, y + 4, layer),
        pixel(x, y + 5, layer),
    ));
}

// B' d: row i holds the coefficients of the product of x - p over all points p but the ith.
fn transform(d: Six) -> Six {
    let even1 = d.e - 2.0 * d.c;
    let odd1 = 0.70710678118654752 * (d.d - 2.0 * d.b);
    let even2 = d.e - 0.5 * d.c;
    let odd2 = 1.4142135623730951 * (d.d - 0.5 * d.b);
    return Six(
        d.a + d.e - 2.5 * d.c,
        even1 + odd1,
        even1 - odd1,
        even2 + odd2,
        even2 - odd2,
        d.b + d.f - 2.5 * d.d,
    );
}

fn store_row(at: vec2<u32>, row: u32, d: Six) {
    let v = transform(d);
    store_frequencies(at, 6u * row, v.a, v.b);
    store_frequencies(at, 6u * row + 2u, v.c, v.d);
    store_frequencies(at, 6u * row + 4u, v.e, v.f);
}

// From the pixel at (x, y) of a layer on to the texel of frequency 0.
fn store_transform(x: i32, y: i32, layer: u32, at: vec2<u32>) {
    let c0 = column(x, y, layer);
    let c1 = column(x + 1, y, layer);
    let c2 = column(x + 2, y, layer);
    let c3 = column(x + 3, y, layer);
    let c4 = column(x + 4, y, layer);
    let c5 = column(x + 5, y, layer);
    store_row(at, 0u, Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
    store_row(at, 1u, Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
    store_row(at, 2u, Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
    store_row(at, 3u, Six(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d));
    store_row(at, 4u, Six(c0.e, c1.e, c2.e, c3.e, c4.e, c5.e));
    store_row(at, 5u, Six(c0.f, c1.f, c2.f, c3.f, c4.f, c5.f));
}
