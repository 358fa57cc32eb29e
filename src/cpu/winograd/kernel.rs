//! The transform of the weights.

use pulp::Simd;

use super::transforms::{FILTERING, FREQUENCIES};
use crate::cpu::product::Task;
use crate::ops::winograd::PAIRS;

/// `G g G'` for the pairs of channels of one panel, in f64.
pub struct WeightTransform<'a> {
    /// `[3, 3, c_in, c_out]`.
    pub kernel: &'a [f32],
    pub c_in: usize,
    pub c_out: usize,
    /// The panel's first output channel.
    pub column: usize,
    /// `[FREQUENCIES, c_in, columns of a panel]`.
    pub panel: &'a mut [f32],
}

impl Task for WeightTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, _: S) {
        let width = self.panel.len() / (FREQUENCIES * self.c_in);
        let count = width.min(self.c_out - self.column);
        for c in 0..self.c_in {
            for first in (0..count).step_by(PAIRS) {
                let pairs = PAIRS.min(count - first);
                let mut g = [[[0.0; PAIRS]; 3]; 3];
                for (y, row) in g.iter_mut().enumerate() {
                    for (x, values) in row.iter_mut().enumerate() {
                        let start = ((y * 3 + x) * self.c_in + c) * self.c_out + self.column + first;
                        for (value, &kernel) in values.iter_mut().zip(&self.kernel[start..][..pairs]) {
                            *value = f64::from(kernel);
                        }
                    }
                }
                FILTERING.transform_pairs(&g, |frequency, values| {
                    let start = (frequency * self.c_in + c) * width + first;
                    for (place, value) in self.panel[start..][..pairs].iter_mut().zip(values) {
                        *place = *value as f32;
                    }
                });
            }
        }
    }
}
