//! A border of zeros around a map.

use rayon::prelude::*;

use crate::{Shape, ops};

/// A border around maps of a known size.
pub struct ZeroPad2d {
    op: ops::ZeroPad2d,
    h: usize,
    w: usize,
    c: usize,
}

impl ZeroPad2d {
    /// The border for samples of shape `input`.
    pub fn compile(op: ops::ZeroPad2d, input: Shape) -> ZeroPad2d {
        let Shape::Map { h, w, c } = input else { panic!("zero_pad2d needs a map") };
        ZeroPad2d { op, h, w, c }
    }

    /// `input` `[n, h, w, c]`, `output` with the border.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let ops::ZeroPad2d { top, bottom, left, right } = self.op;
        let (rows, row_len) = (self.h + top + bottom, self.w * self.c);
        output.par_chunks_mut(row_len + (left + right) * self.c).enumerate().for_each(|(index, row)| {
            let (n, oy) = (index / rows, index % rows);
            row.fill(0.0);
            if let Some(y) = oy.checked_sub(top).filter(|&y| y < self.h) {
                let source = &input[(n * self.h + y) * row_len..][..row_len];
                row[left * self.c..][..row_len].copy_from_slice(source);
            }
        });
    }
}
