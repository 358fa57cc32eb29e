//! Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015), with which GPUs compute 3x3 convolutions.
//!
//! A tile of 6x6 input pixels gives 4x4 output pixels, `Y = A' [(G g G') * (B' d B)] A`, with a quarter of the direct sum's
//! multiplications. The interpolation points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which round half as much as 0,
//! +-1, +-2. The CPU takes larger tiles (`src/cpu/winograd`).

/// Rows and columns of an output tile.
pub const OUT: usize = 4;
/// Rows and columns of an input tile, and of its transform.
pub const IN: usize = 6;
/// Matrix products.
pub const FREQUENCIES: usize = IN * IN;

/// Pairs of channels that are transformed together, so that the compiler makes vectors of them.
const PAIRS: usize = 8;

/// `G g G'` for every pair of channels, in f64: `[3, 3, pairs]` to `[FREQUENCIES, pairs]`.
pub fn transform_kernel(kernel: &[f32], pairs: usize) -> Vec<f32> {
    let mut transformed = vec![0.0; FREQUENCIES * pairs];
    for first in (0..pairs).step_by(PAIRS) {
        let count = PAIRS.min(pairs - first);
        let tap = |tap: usize| {
            let values = &kernel[tap * pairs + first..][..count];
            std::array::from_fn(|pair| values.get(pair).map_or(0.0, |&value| f64::from(value)))
        };
        let g: [[[f64; PAIRS]; 3]; 3] = std::array::from_fn(|y| std::array::from_fn(|x| tap(y * 3 + x)));
        let rows = g.map(transform);
        for v in 0..IN {
            for (u, values) in transform([rows[0][v], rows[1][v], rows[2][v]]).iter().enumerate() {
                let places = &mut transformed[(u * IN + v) * pairs + first..][..count];
                places.iter_mut().zip(values).for_each(|(place, &value)| *place = value as f32);
            }
        }
    }
    transformed
}

/// `G g` for `N` pairs: the values of the polynomial `g` at the points, divided by the products of their distances.
#[inline(always)]
fn transform<const N: usize>(g: [[f64; N]; 3]) -> [[f64; N]; IN] {
    let (near, far) = (std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::SQRT_2);
    let mut values = [[0.0; N]; IN];
    for pair in 0..N {
        let [g0, g1, g2] = [g[0][pair], g[1][pair], g[2][pair]];
        let (even_near, odd_near) = (g0 + 0.5 * g2, near * g1);
        let (even_far, odd_far) = (g0 + 2.0 * g2, far * g1);
        values[0][pair] = g0;
        values[1][pair] = (even_near + odd_near) / -1.5;
        values[2][pair] = (even_near - odd_near) / -1.5;
        values[3][pair] = (even_far + odd_far) / 6.0;
        values[4][pair] = (even_far - odd_far) / 6.0;
        values[5][pair] = g2;
    }
    values
}
