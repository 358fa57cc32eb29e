//! Max and average pooling.

use super::Window;
use crate::{Shape, Tensor};

/// What a pool makes of the values in its window. Padding takes no part in either, as in TensorFlow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest value.
    Max,
    /// The mean of the values inside the map.
    Average,
}

/// `y[n, oy, ox, c] = max or mean of x[n, oy*sh + ky - top, ox*sw + kx - left, c]` over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Max or average.
    pub kind: PoolKind,
    /// Pool size, stride, padding and output size.
    pub window: Window,
}

impl Pool2d {
    /// `[oh, ow, c]`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let [h, w] = self.window.output;
        Shape::Map { h, w, c: input.channels() }
    }

    /// Whether it makes of a map of `[h, w]` the maxima of its 2 x 2 groups of pixels, each in one of them, dropping a last
    /// odd row or column: what can be computed with the map, a tile of even sides at a time.
    pub fn halves(&self, map: [usize; 2]) -> bool {
        let Window { kernel, stride, before, output } = self.window;
        let is_whole = before == [0, 0] && output == map.map(|size| size / 2);
        self.kind == PoolKind::Max && kernel == [2, 2] && stride == [2, 2] && is_whole
    }

    /// The plain reference for maps.
    pub fn reference(&self, input: &Tensor) -> Tensor {
        let Shape::Map { h, w, c } = input.shape else { panic!("pool2d needs a map") };
        let mut output = Tensor::zeros(input.n, self.output_shape(input.shape));
        let [oh, ow] = self.window.output;
        for (index, out) in output.data.iter_mut().enumerate() {
            let (n, oy, ox, channel) = (index / (oh * ow * c), index / (ow * c) % oh, index / c % ow, index % c);
            let rows = self.window.covered(0, oy, h);
            let values: Vec<f32> = rows
                .flat_map(|(_, y)| self.window.covered(1, ox, w).map(move |(_, x)| (y, x)))
                .map(|(y, x)| input.data[((n * h + y) * w + x) * c + channel])
                .collect();
            *out = match self.kind {
                PoolKind::Max => values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                PoolKind::Average => {
                    (values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64) as f32
                }
            };
        }
        output
    }
}
