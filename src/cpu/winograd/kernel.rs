//! The transform of the weights.

use pulp::Simd;

use super::transforms::{FILTERING, FREQUENCIES};
use crate::cpu::product::Task;

/// `G g G'` for the pairs of channels of one panel.
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
        let frequency_len = self.panel.len() / FREQUENCIES;
        let width = frequency_len / self.c_in;
        let count = width.min(self.c_out - self.column);
        let mut frequencies: Vec<_> = self.panel.chunks_exact_mut(frequency_len).collect();
        for c in 0..self.c_in {
            let first = c * self.c_out + self.column;
            FILTERING.transform_kernel(self.kernel, first..first + count, &mut frequencies, c * width);
        }
    }
}
