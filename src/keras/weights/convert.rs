//! Kernels that an old Keras stored in another order.

use std::sync::Arc;

use super::hdf5::StoredTensor;
use crate::Result;
use crate::parameter::ParameterSource;

/// How a stored kernel becomes `[kh, kw, c_in, c_out]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It is.
    None,
    /// Keras 1 stores `[c_out, c_in, kh, kw]` for `th`; Theano convolves, so that its kernels are turned by 180 degrees.
    Kernel { channels_first: bool, flipped: bool },
}

impl Conversion {
    /// The conversion of a convolution's kernel.
    pub fn of_kernel(channels_first: bool, flipped: bool) -> Conversion {
        match (channels_first, flipped) {
            (false, false) => Conversion::None,
            _ => Conversion::Kernel { channels_first, flipped },
        }
    }

    /// The shape in the file of a kernel that is `shape` here.
    pub fn stored_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Conversion::Kernel { channels_first: true, .. }, &[kh, kw, c_in, c_out]) => vec![c_out, c_in, kh, kw],
            _ => shape.to_vec(),
        }
    }

    /// `tensor`, converted to `shape` when it is read.
    pub fn apply(self, tensor: StoredTensor, shape: Vec<usize>) -> Arc<dyn ParameterSource> {
        match (self, shape.try_into()) {
            (Conversion::Kernel { channels_first, flipped }, Ok(shape)) => {
                Arc::new(ConvertedKernel { tensor, shape, channels_first, flipped })
            }
            _ => Arc::new(tensor),
        }
    }
}

#[derive(Debug)]
struct ConvertedKernel {
    tensor: StoredTensor,
    shape: [usize; 4],
    channels_first: bool,
    flipped: bool,
}

impl ParameterSource for ConvertedKernel {
    fn load(&self, len: usize) -> Result<Vec<f32>> {
        let stored = self.tensor.load(len)?;
        let [kh, kw, c_in, c_out] = self.shape;
        let mut kernel = Vec::with_capacity(len);
        for tap in 0..kh * kw {
            let tap = if self.flipped { kh * kw - 1 - tap } else { tap };
            for (i, o) in (0..c_in).flat_map(|i| (0..c_out).map(move |o| (i, o))) {
                let at =
                    if self.channels_first { (o * c_in + i) * kh * kw + tap } else { (tap * c_in + i) * c_out + o };
                kernel.push(stored[at]);
            }
        }
        Ok(kernel)
    }

    fn origin(&self) -> String {
        self.tensor.origin()
    }
}
