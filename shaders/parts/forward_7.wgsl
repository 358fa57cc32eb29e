// B' d B of F(7x7, 3x3), with the interpolation points +-1/4, +-11/16, +-9/8, +-33/16 and infinity. Nine columns of a tile are
// transformed, then the nine rows of what comes out; written out, because arrays indexed in loops live in memory.

// Rows and columns of an output tile.
const OUT = 7u;

struct Nine {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
    g: vec4<f32>,
    h: vec4<f32>,
    i: vec4<f32>,
}

fn column(x: i32, y: i32, layer: u32) -> Nine {
    return transform(Nine(
        pixel(x, y, layer),
        pixel(x, y + 1, layer),
        pixel(x, y + 2, layer),
        pixel(x, y + 3, layer),
        pixel(x, y + 4, layer),
        pixel(x, y + 5, layer),
        pixel(x, y + 6, layer),
        pixel(x, y + 7, layer),
        pixel(x, y + 8, layer),
    ));
}

// B' d: row i holds the coefficients of the product of x - p over all points p but the ith. Those of +p and -p are the same
// polynomial of x^2, which the other pairs make, times x + p and x - p.
fn transform(d: Nine) -> Nine {
    let even1 = d.g - 5.9921875 * d.e + 7.9926910400390625 * d.c - 2.544710397720337 * d.a;
    let odd1 = d.h - 5.9921875 * d.f + 7.9926910400390625 * d.d - 2.544710397720337 * d.b;
    let even2 = d.g - 5.58203125 * d.e + 5.72882080078125 * d.c - 0.3364906311035156 * d.a;
    let odd2 = d.h - 5.58203125 * d.f + 5.72882080078125 * d.d - 0.3364906311035156 * d.b;
    let even3 = d.g - 4.7890625 * d.e + 2.3060455322265625 * d.c - 0.12566471099853516 * d.a;
    let odd3 = d.h - 4.7890625 * d.f + 2.3060455322265625 * d.d - 0.12566471099853516 * d.b;
    let even4 = d.g - 1.80078125 * d.e + 0.70684814453125 * d.c - 0.037387847900390625 * d.a;
    let odd4 = d.h - 1.80078125 * d.f + 0.70684814453125 * d.d - 0.037387847900390625 * d.b;
    return Nine(
        odd1 + 0.25 * even1,
        odd1 - 0.25 * even1,
        odd2 + 0.6875 * even2,
        odd2 - 0.6875 * even2,
        odd3 + 1.125 * even3,
        odd3 - 1.125 * even3,
        odd4 + 2.0625 * even4,
        odd4 - 2.0625 * even4,
        d.i - 6.0546875 * d.g + 8.367202758789062 * d.e - 3.0442535877227783 * d.c + 0.15904439985752106 * d.a,
    );
}

// All of a row but the last, from a frequency on.
fn store_eight(at: vec2<u32>, frequency: u32, v: Nine) {
    store_frequencies(at, frequency, v.a, v.b);
    store_frequencies(at, frequency + 2u, v.c, v.d);
    store_frequencies(at, frequency + 4u, v.e, v.f);
    store_frequencies(at, frequency + 6u, v.g, v.h);
}

// Two rows of what comes out, the first of which begins at a frequency.
fn store_rows(at: vec2<u32>, frequency: u32, d: Nine, e: Nine) {
    let v = transform(d);
    let w = transform(e);
    store_eight(at, frequency, v);
    store_frequencies(at, frequency + 8u, v.i, w.a);
    store_frequencies(at, frequency + 10u, w.b, w.c);
    store_frequencies(at, frequency + 12u, w.d, w.e);
    store_frequencies(at, frequency + 14u, w.f, w.g);
    store_frequencies(at, frequency + 16u, w.h, w.i);
}

// The last row; behind its last frequency V has room for one more, which is nobody's.
fn store_last(at: vec2<u32>, d: Nine) {
    let v = transform(d);
    store_eight(at, 72u, v);
    store_frequencies(at, 80u, v.i, v.i);
}

// From the pixel at (x, y) of a layer on to the texel of frequency 0.
fn store_transform(x: i32, y: i32, layer: u32, at: vec2<u32>) {
    let c0 = column(x, y, layer);
    let c1 = column(x + 1, y, layer);
    let c2 = column(x + 2, y, layer);
    let c3 = column(x + 3, y, layer);
    let c4 = column(x + 4, y, layer);
    let c5 = column(x + 5, y, layer);
    let c6 = column(x + 6, y, layer);
    let c7 = column(x + 7, y, layer);
    let c8 = column(x + 8, y, layer);
    store_rows(
        at,
        0u,
        Nine(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a, c6.a, c7.a, c8.a),
        Nine(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b, c6.b, c7.b, c8.b),
    );
    store_rows(
        at,
        18u,
        Nine(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c, c6.c, c7.c, c8.c),
        Nine(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d, c6.d, c7.d, c8.d),
    );
    store_rows(
        at,
        36u,
        Nine(c0.e, c1.e, c2.e, c3.e, c4.e, c5.e, c6.e, c7.e, c8.e),
        Nine(c0.f, c1.f, c2.f, c3.f, c4.f, c5.f, c6.f, c7.f, c8.f),
    );
    store_rows(
        at,
        54u,
        Nine(c0.g, c1.g, c2.g, c3.g, c4.g, c5.g, c6.g, c7.g, c8.g),
        Nine(c0.h, c1.h, c2.h, c3.h, c4.h, c5.h, c6.h, c7.h, c8.h),
    );
    store_last(at, Nine(c0.i, c1.i, c2.i, c3.i, c4.i, c5.i, c6.i, c7.i, c8.i));
}
