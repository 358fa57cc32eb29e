//! The sliding window that convolutions and pools share.

/// Keras's `padding=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// No padding: `out = (in - kernel) / stride + 1`.
    Valid,
    /// `out = ceil(in / stride)`; an odd total puts the larger half behind, as TensorFlow does.
    Same,
}

/// A kernel-sized window that steps over a map. Pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step between windows; where there is only one, no larger than the map.
    pub stride: [usize; 2],
    /// Padding above and to the left of the map.
    pub before: [usize; 2],
    /// Number of window positions: the output's `[h, w]`.
    pub output: [usize; 2],
}

impl Window {
    /// The window for an input of `[h, w]`, or `None` where it fits nowhere or a size is zero.
    pub fn resolve(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Option<Window> {
        let mut before = [0; 2];
        let mut output = [0; 2];
        for axis in 0..2 {
            if input[axis] == 0 || kernel[axis] == 0 || stride[axis] == 0 {
                return None;
            }
            match padding {
                Padding::Valid => output[axis] = input[axis].checked_sub(kernel[axis])? / stride[axis] + 1,
                Padding::Same => {
                    output[axis] = input[axis].div_ceil(stride[axis]);
                    let covered = ((output[axis] - 1) * stride[axis]).checked_add(kernel[axis])?;
                    before[axis] = covered.saturating_sub(input[axis]) / 2;
                }
            }
        }
        // A step out of the map is never made, but buffers are sized by it.
        let stride = [stride[0].min(input[0]), stride[1].min(input[1])];
        Some(Window { kernel, stride, before, output })
    }

    /// Positions in the window: `kh * kw`.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The input positions along `axis` (0 vertical, 1 horizontal) that window `position` covers, each with its
    /// index in the kernel; those in the padding are left out.
    pub fn covered(&self, axis: usize, position: usize, input: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (start, before) = (position * self.stride[axis], self.before[axis]);
        let inside = before.saturating_sub(start)..self.kernel[axis].min((before + input).saturating_sub(start));
        inside.map(move |tap| (tap, start + tap - before))
    }
}
