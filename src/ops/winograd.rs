//! Winograd's minimal filtering F(m x m, 3x3) (Lavin and Gray 2015), with which both backends compute most 3x3 convolutions.
//!
//! A tile of `m + 2` by `m + 2` input pixels gives `m` by `m` output pixels, `Y = A' [(G g G') * (B' d B)] A`, with as many
//! multiplications as the input tile has pixels: a quarter of the direct sum's for `m = 4`, and less than a fifth for
//! `m = 7`. The matrices come from the interpolation points, which are those below and infinity: column `i` of `A'` holds
//! the powers of point `i`, row `i` of `B'` the coefficients of the product of `x - p` over all points `p` but the `i`th.

use std::fmt;
use std::ops::Range;

use pulp::Arch;
use serde::{Deserialize, Serialize};

/// A size of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Filtering {
    /// F(4x4, 3x3).
    F4,
    /// F(7x7, 3x3), which rounds more: see [`F7_PAIRS`].
    F7,
}

/// The points of F(4x4, 3x3), which round half as much as 0, +-1, +-2.
const F4_POINTS: [f64; 5] = [0.0, NEAR, -NEAR, FAR, -FAR];
const NEAR: f64 = std::f64::consts::FRAC_1_SQRT_2;
const FAR: f64 = std::f64::consts::SQRT_2;

/// The points of F(7x7, 3x3) are `+p` and `-p` of each, in this order: the rows of a pair have the same even and odd terms.
///
/// 7 divides the sides of all maps of networks that begin with 224 x 224 pixels. Larger tiles round more. Of four pairs,
/// these round nearly the least at the corners of a tile, where the rounding of a product grows to 118 times the product of
/// the deviations of input and kernel; F(4x4, 3x3) has 7 there. Sums of short sums keep that small: a layer's largest error
/// of 512 channels of white noise is 2e-5 of the largest value (`vgg-wgpu bench`), and that of VGG16's features 4e-6.
pub const F7_PAIRS: [f64; 4] = [0.25, 0.6875, 1.125, 2.0625];
const F7_POINTS: [f64; 8] =
    [F7_PAIRS[0], -F7_PAIRS[0], F7_PAIRS[1], -F7_PAIRS[1], F7_PAIRS[2], -F7_PAIRS[2], F7_PAIRS[3], -F7_PAIRS[3]];

/// Pairs of channels that are transformed together, so that the compiler makes vectors of them.
const PAIRS: usize = 8;

/// One kernel element of so many pairs of channels.
type Values = [f64; PAIRS];

impl Filtering {
    /// Rows and columns of an output tile.
    pub const fn out(self) -> usize {
        match self {
            Filtering::F4 => 4,
            Filtering::F7 => 7,
        }
    }

    /// Rows and columns of an input tile, and of its transform.
    pub const fn side(self) -> usize {
        self.out() + 2
    }

    /// Matrix products: one for each value of a tile's transform.
    pub const fn frequencies(self) -> usize {
        self.side() * self.side()
    }

    /// `G g G'` for spans of the pairs of channels of a `kernel` `[3, 3, pairs]`, in f64, with the best vectors that this
    /// processor has: into `frequencies`, a row of values for each, from the place on that stands before the span.
    pub fn transform_kernel(
        self,
        kernel: &[f32],
        spans: impl Iterator<Item = (usize, Range<usize>)>,
        frequencies: &mut [&mut [f32]],
    ) {
        // All that this calls is inlined, or it would not be compiled for these vectors.
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (at, pairs) in spans {
                    self.transform_span(kernel, pairs, frequencies, at);
                }
            },
        );
    }

    /// One of them.
    #[inline(always)]
    fn transform_span(self, kernel: &[f32], pairs: Range<usize>, frequencies: &mut [&mut [f32]], at: usize) {
        let whole = pairs.len() / PAIRS * PAIRS;
        for done in (0..whole).step_by(PAIRS) {
            self.transform_some(kernel, pairs.start + done, PAIRS, frequencies, at + done);
        }
        if whole < pairs.len() {
            self.transform_some(kernel, pairs.start + whole, pairs.len() - whole, frequencies, at + whole);
        }
    }

    /// The same for `count` pairs, which are at most [`PAIRS`]: of a number that the compiler knows it makes vectors.
    #[inline(always)]
    fn transform_some(self, kernel: &[f32], first: usize, count: usize, frequencies: &mut [&mut [f32]], at: usize) {
        let all = kernel.len() / 9;
        let mut g = [[[0.0; PAIRS]; 3]; 3];
        for (tap, values) in g.as_flattened_mut().iter_mut().enumerate() {
            let taps = &kernel[tap * all + first..][..count];
            values.iter_mut().zip(taps).for_each(|(value, &tap)| *value = f64::from(tap));
        }
        self.transform_pairs(&g, |frequency, values| {
            let mut rounded = [0.0; PAIRS];
            rounded.iter_mut().zip(values).for_each(|(rounded, &value)| *rounded = value as f32);
            frequencies[frequency][at..][..count].copy_from_slice(&rounded[..count]);
        });
    }

    /// `G g G'` for some pairs of channels: `store` gets each frequency's values.
    #[inline(always)]
    fn transform_pairs(self, g: &[[Values; 3]; 3], store: impl FnMut(usize, &Values)) {
        match self {
            Filtering::F4 => transform_pairs::<5, 6>(F4_POINTS, g, store),
            Filtering::F7 => transform_pairs::<8, 9>(F7_POINTS, g, store),
        }
    }
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "F({m}x{m})", m = self.out())
    }
}

#[inline(always)]
fn transform_pairs<const POINTS: usize, const SIDE: usize>(
    points: [f64; POINTS],
    g: &[[Values; 3]; 3],
    mut store: impl FnMut(usize, &Values),
) {
    // Not by iterators over arrays, which are compiled on their own, for a processor without larger vectors.
    let top = transform::<POINTS, SIDE>(points, g[0]);
    let middle = transform::<POINTS, SIDE>(points, g[1]);
    let bottom = transform::<POINTS, SIDE>(points, g[2]);
    for v in 0..SIDE {
        let column = transform::<POINTS, SIDE>(points, [top[v], middle[v], bottom[v]]);
        for (u, values) in column.iter().enumerate() {
            store(u * SIDE + v, values);
        }
    }
}

/// `G g`: the values of the polynomial `g` at the points, divided by the products of their distances.
#[inline(always)]
fn transform<const POINTS: usize, const SIDE: usize>(
    points: [f64; POINTS],
    [g0, g1, g2]: [Values; 3],
) -> [Values; SIDE] {
    const { assert!(SIDE == POINTS + 1, "one of them is infinity") };
    let mut values = [g2; SIDE];
    for (i, &point) in points.iter().enumerate() {
        let others = (0..POINTS).filter(|&other| other != i);
        let scale = 1.0 / others.map(|other| point - points[other]).product::<f64>();
        for pair in 0..PAIRS {
            values[i][pair] = scale * (g0[pair] + point * (g1[pair] + point * g2[pair]));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn a_transformed_kernel_has_the_values_at_the_points_over_their_distances() {
        let kernel: Vec<f32> = (0..9).map(|tap| tap as f32 - 3.0).collect();
        for (filtering, points) in [(Filtering::F4, &F4_POINTS[..]), (Filtering::F7, &F7_POINTS[..])] {
            let mut transformed = vec![[f32::NAN; 2]; filtering.frequencies()];
            let mut frequencies: Vec<_> = transformed.iter_mut().map(|values| &mut values[..]).collect();
            filtering.transform_kernel(&kernel, iter::once((1, 0..1)), &mut frequencies);
            // Row and column of infinity: the last tap alone.
            assert_eq!(transformed.last().map(|values| values[1]), Some(5.0));
            let distances =
                |i: usize| (0..points.len()).filter(|&j| j != i).map(|j| points[i] - points[j]).product::<f64>();
            for (y, &py) in points.iter().enumerate() {
                for (x, &px) in points.iter().enumerate() {
                    let taps = (0..9).map(|tap| (tap as f64 - 3.0) * py.powi(tap / 3) * px.powi(tap % 3));
                    let expected = taps.sum::<f64>() / distances(y) / distances(x);
                    let found = f64::from(transformed[y * filtering.side() + x][1]);
                    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{filtering:?} {y} {x}");
                }
            }
        }
    }
}
