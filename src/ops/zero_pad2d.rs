//! A border of zeros around a map.

use crate::{Shape, Tensor};

/// `y[n, oy, ox, c] = x[n, oy - top, ox - left, c]`, zero outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZeroPad2d {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl ZeroPad2d {
    /// `[h + top + bottom, w + left + right, c]`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let Shape::Map { h, w, c } = input else { panic!("zero_pad2d needs a map") };
        Shape::Map { h: h + self.top + self.bottom, w: w + self.left + self.right, c }
    }

    /// The plain reference for maps.
    pub fn reference(&self, input: &Tensor) -> Tensor {
        let Shape::Map { h, w, c } = input.shape else { panic!("zero_pad2d needs a map") };
        let mut output = Tensor::zeros(input.n, self.output_shape(input.shape));
        let (oh, ow) = (h + self.top + self.bottom, w + self.left + self.right);
        for (index, row) in input.data.chunks_exact(w * c).enumerate() {
            let (n, y) = (index / h, index % h);
            let start = ((n * oh + y + self.top) * ow + self.left) * c;
            output.data[start..][..w * c].copy_from_slice(row);
        }
        output
    }
}
