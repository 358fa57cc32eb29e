//! Winograd's F(7x7, 3x3) along one axis: a tile of 9x9 pixels gives 7x7, with less than a fifth of the direct sum's
//! multiplications.

use pulp::Simd;

use crate::cpu::lanes::mul_add;
use crate::ops::winograd::{F7_PAIRS as PAIRS, Filtering};

/// The size of the tiles.
pub const FILTERING: Filtering = Filtering::F7;

/// Rows and columns of an output tile.
pub const OUT: usize = FILTERING.out();
/// Rows and columns of an input tile, and of its transform.
pub const IN: usize = FILTERING.side();
/// Matrix products.
pub const FREQUENCIES: usize = FILTERING.frequencies();

/// Coefficients of 1, `x^2`, `x^4` and so on in the product of `x^2 - p^2` over the pairs but `without`.
const fn product(without: usize) -> [f64; 5] {
    let mut coefficients = [1.0, 0.0, 0.0, 0.0, 0.0];
    let mut pair = 0;
    while pair < PAIRS.len() {
        if pair != without {
            let square = PAIRS[pair] * PAIRS[pair];
            let mut i = coefficients.len() - 1;
            while i > 0 {
                coefficients[i] = coefficients[i - 1] - square * coefficients[i];
                i -= 1;
            }
            coefficients[0] *= -square;
        }
        pair += 1;
    }
    coefficients
}

/// `B' d`: row `i` holds the coefficients of the product of `x - p` over all points `p` but the `i`th.
#[inline(always)]
pub fn input<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let [a, b] = input_pair::<S, 0>(simd, d);
    let [c, e] = input_pair::<S, 1>(simd, d);
    let [f, g] = input_pair::<S, 2>(simd, d);
    let [h, i] = input_pair::<S, 3>(simd, d);
    let [c0, c1, c2, c3, _] = const { product(PAIRS.len()) };
    let low = mul_add(simd, c0 as f32, d[0], mul_add(simd, c1 as f32, d[2], d[8]));
    [a, b, c, e, f, g, h, i, mul_add(simd, c2 as f32, d[4], mul_add(simd, c3 as f32, d[6], low))]
}

/// The rows of `+p` and `-p`.
#[inline(always)]
fn input_pair<S: Simd, const PAIR: usize>(simd: S, d: [S::f32s; IN]) -> [S::f32s; 2] {
    let ([c0, c1, c2, ..], p) = const { (product(PAIR), PAIRS[PAIR] as f32) };
    let (c0, c1, c2) = (c0 as f32, c1 as f32, c2 as f32);
    let even = mul_add(simd, c0, d[0], mul_add(simd, c1, d[2], mul_add(simd, c2, d[4], d[6])));
    let odd = mul_add(simd, c0, d[1], mul_add(simd, c1, d[3], mul_add(simd, c2, d[5], d[7])));
    [mul_add(simd, p, even, odd), mul_add(simd, -p, even, odd)]
}

/// `A' m`: column `i` holds the powers of point `i`.
#[inline(always)]
pub fn output<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let [a, b, c, d, e, f, g, h, last] = m;
    let sums = [simd.add_f32s(a, b), simd.add_f32s(c, d), simd.add_f32s(e, f), simd.add_f32s(g, h)];
    let differences = [simd.sub_f32s(a, b), simd.sub_f32s(c, d), simd.sub_f32s(e, f), simd.sub_f32s(g, h)];
    [
        simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])),
        output_row::<S, 1>(simd, differences),
        output_row::<S, 2>(simd, sums),
        output_row::<S, 3>(simd, differences),
        output_row::<S, 4>(simd, sums),
        output_row::<S, 5>(simd, differences),
        simd.add_f32s(output_row::<S, 6>(simd, sums), last),
    ]
}

/// The sum of `terms`, one for each pair, times the pair's `p` to the power of `EXPONENT`.
#[inline(always)]
fn output_row<S: Simd, const EXPONENT: usize>(simd: S, terms: [S::f32s; 4]) -> S::f32s {
    let [p0, p1, p2, p3] = const { powers(EXPONENT) };
    let first = simd.mul_f32s(simd.splat_f32s(p0), terms[0]);
    mul_add(simd, p3, terms[3], mul_add(simd, p2, terms[2], mul_add(simd, p1, terms[1], first)))
}

const fn powers(exponent: usize) -> [f32; 4] {
    let mut powers = [1.0; 4];
    let mut i = 0;
    while i < exponent * PAIRS.len() {
        powers[i % PAIRS.len()] *= PAIRS[i % PAIRS.len()];
        i += 1;
    }
    [powers[0] as f32, powers[1] as f32, powers[2] as f32, powers[3] as f32]
}

#[cfg(test)]
mod tests {
    use std::iter;

    use pulp::Scalar;

    use super::*;

    #[test]
    fn the_transforms_of_pixels_and_taps_give_their_correlation() {
        let pixels: [f64; IN] = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, -6.0, 5.0];
        let taps = [2.0, -7.0, 1.0];
        // In the row of infinity, the last row of taps is transformed along the other axis alone.
        let kernel = [[0.0; 3], [0.0; 3], taps].as_flattened().iter().map(|&tap| tap as f32).collect::<Vec<_>>();
        let mut transformed = [0.0; FREQUENCIES];
        let mut frequencies: Vec<_> = transformed.chunks_mut(1).collect();
        FILTERING.transform_kernel(&kernel, iter::once((0, 0..1)), &mut frequencies);
        let (simd, transformed) = (Scalar::new(), &transformed[(IN - 1) * IN..]);
        let values = input(simd, pixels.map(|pixel| pixel as f32));
        let products = std::array::from_fn(|i| values[i] * transformed[i]);
        for (x, found) in output(simd, products).into_iter().enumerate() {
            let expected: f64 = (0..3).map(|tap| pixels[x + tap] * taps[tap]).sum();
            assert!((f64::from(found) - expected).abs() < 1e-4, "pixel {x}: {found}, expected {expected}");
        }
    }
}
