//! Matrix products on slices.

use gemm::{Parallelism, gemm};

/// A row-major matrix whose rows are `stride` values apart.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` by `columns`, without gaps.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix { data, rows, columns, stride: columns }
    }

    /// The number of values from the first to the last element.
    fn span(self) -> usize {
        if self.rows == 0 { 0 } else { (self.rows - 1) * self.stride + self.columns }
    }
}

/// `output = a * b` on the calling thread; `output` has no gaps between its rows.
pub fn multiply(output: &mut [f32], a: Matrix<'_>, b: Matrix<'_>) {
    assert_eq!(a.columns, b.rows, "the inner dimensions of a product differ");
    assert_eq!(output.len(), a.rows * b.columns, "the output does not fit the product");
    assert!(a.span() <= a.data.len() && b.span() <= b.data.len(), "a matrix exceeds its slice");
    // SAFETY: gemm takes pointers. Each is used within the rows, columns and strides given, which the assertions above
    // hold within the slices; `output` is borrowed mutably, so it overlaps neither operand, and it is not read.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            output.as_mut_ptr(),
            1,
            b.columns as isize,
            false,
            a.data.as_ptr(),
            1,
            a.stride as isize,
            b.data.as_ptr(),
            1,
            b.stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
