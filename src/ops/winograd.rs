//! Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015): what both backends know of it.
//!
//! A tile of 6x6 input pixels gives 4x4 output pixels, `Y = A' [(G g G') * (B' d B)] A`, with a quarter of the direct sum's
//! multiplications. The interpolation points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round half as much as 0,
//! +-1, +-2.

/// Rows and columns of an output tile.
pub const OUT: usize = 4;
/// Rows and columns of an input tile, and of its transform.
pub const IN: usize = 6;
/// Matrix products.
pub const FREQUENCIES: usize = IN * IN;

/// `G g G'` for every pair of channels, in f64: `[3, 3, pairs]` to `[FREQUENCIES, pairs]`.
pub fn transform_kernel(kernel: &[f32], pairs: usize) -> Vec<f32> {
    let mut transformed = vec![0.0; FREQUENCIES * pairs];
    for pair in 0..pairs {
        let g: [[f64; 3]; 3] =
            std::array::from_fn(|y| std::array::from_fn(|x| f64::from(kernel[(y * 3 + x) * pairs + pair])));
        let rows = g.map(transform);
        for v in 0..IN {
            let column = transform([rows[0][v], rows[1][v], rows[2][v]]);
            for (u, value) in column.into_iter().enumerate() {
                transformed[(u * IN + v) * pairs + pair] = value as f32;
            }
        }
    }
    transformed
}

/// `G g`: the values of the polynomial `g` at the points, divided by the products of their distances.
fn transform([g0, g1, g2]: [f64; 3]) -> [f64; IN] {
    let at = |point: f64, distances: f64| (g0 + point * g1 + point * point * g2) / distances;
    let (near, far) = (std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::SQRT_2);
    [g0, at(near, -1.5), at(-near, -1.5), at(far, 6.0), at(-far, 6.0), g2]
}
