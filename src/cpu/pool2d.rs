//! Max and average pooling.

use rayon::prelude::*;

use crate::Shape;
use crate::ops::{self, PoolKind};

/// A pool over maps of a known size.
pub struct Pool2d {
    op: ops::Pool2d,
    h: usize,
    w: usize,
    c: usize,
}

impl Pool2d {
    /// The pool for samples of shape `input`.
    pub fn compile(op: &ops::Pool2d, input: Shape) -> Pool2d {
        let Shape::Map { h, w, c } = input else { panic!("pool2d needs a map") };
        Pool2d { op: *op, h, w, c }
    }

    /// `input` `[n, h, w, c]`, `output` `[n, oh, ow, c]`.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let [oh, ow] = self.op.window.output;
        output.par_chunks_mut(ow * self.c).enumerate().for_each(|(index, row)| {
            let map = &input[index / oh * self.h * self.w * self.c..][..self.h * self.w * self.c];
            for (ox, pixel) in row.chunks_exact_mut(self.c).enumerate() {
                self.pixel(map, [index % oh, ox], pixel);
            }
        });
    }

    /// All channels of one output pixel.
    fn pixel(&self, map: &[f32], [oy, ox]: [usize; 2], output: &mut [f32]) {
        let (kind, window) = (self.op.kind, self.op.window);
        output.fill(if kind == PoolKind::Max { f32::NEG_INFINITY } else { 0.0 });
        let mut count = 0;
        for (_, y) in window.covered(0, oy, self.h) {
            for (_, x) in window.covered(1, ox, self.w) {
                count += 1;
                let values = output.iter_mut().zip(&map[(y * self.w + x) * self.c..]);
                match kind {
                    PoolKind::Max => values.for_each(|(output, &x)| *output = if x > *output { x } else { *output }),
                    PoolKind::Average => values.for_each(|(output, x)| *output += x),
                }
            }
        }
        if kind == PoolKind::Average {
            output.iter_mut().for_each(|sum| *sum /= count as f32);
        }
    }
}
