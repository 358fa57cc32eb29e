//! Fully connected layers.

use pulp::Simd;
use rayon::prelude::*;

use super::elementwise::add_bias_and_activate;
use super::lanes::{load, store};
use super::product::{self, Task};
use crate::Result;
use crate::ops::conv2d::LinearWeights;
use crate::ops::{self, Activation};

/// Inputs that one task sums over. Fixed, so that results do not depend on the number of threads.
const INPUTS: usize = 512;
/// Inputs whose weights stay in the cache while all samples use them.
const STEP: usize = 8;

/// A dense layer with its weights, in Keras's layout: repacking VGG16's first would need twice its 411 MB.
pub struct Dense {
    inputs: usize,
    units: usize,
    activation: Activation,
    weights: LinearWeights,
}

impl Dense {
    /// Reads the weights.
    pub fn compile(op: &ops::Dense) -> Result<Dense> {
        let ops::Dense { inputs, units, activation, .. } = *op;
        Ok(Dense { inputs, units, activation, weights: op.load()? })
    }

    /// `input` `[n, inputs]`, `output` `[n, units]`. Tasks read the weights in whole rows, as they lie in memory, and their
    /// sums are added up in the end.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        let mut partial = vec![0.0; self.inputs.div_ceil(INPUTS) * output.len()];
        partial.par_chunks_mut(output.len()).enumerate().for_each(|(index, sums)| {
            product::dispatch(PartialSums { dense: self, input, first: index * INPUTS, sums });
        });
        output.fill(0.0);
        for partial in partial.chunks_exact(output.len()) {
            output.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
        }
        add_bias_and_activate(self.activation, &self.weights.bias, output);
    }
}

/// The sums over [`INPUTS`] inputs from `first` on: `sums` is `[n, units]`.
struct PartialSums<'a> {
    dense: &'a Dense,
    input: &'a [f32],
    first: usize,
    sums: &'a mut [f32],
}

impl Task for PartialSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Dense { inputs, units, weights, .. } = self.dense;
        for first in (self.first..(self.first + INPUTS).min(*inputs)).step_by(STEP) {
            let count = STEP.min(inputs - first);
            let weights = &weights.kernel[first * units..][..count * units];
            let mut samples = self.input.chunks_exact(*inputs).map(|sample| &sample[first..][..count]);
            let mut sums = &mut self.sums[..];
            // As many samples at once as keep their sums in registers.
            while !sums.is_empty() {
                sums = match sums.len() / units {
                    8.. => add_products::<S, 8>(simd, &mut samples, weights, sums, *units),
                    4.. => add_products::<S, 4>(simd, &mut samples, weights, sums, *units),
                    2.. => add_products::<S, 2>(simd, &mut samples, weights, sums, *units),
                    _ => add_products::<S, 1>(simd, &mut samples, weights, sums, *units),
                };
            }
        }
    }
}

/// Adds the products of the next `N` samples with `weights`, `[inputs, units]`, to their sums, and returns the other sums.
#[inline(always)]
fn add_products<'a, S: Simd, const N: usize>(
    simd: S,
    samples: &mut impl Iterator<Item = &'a [f32]>,
    weights: &[f32],
    sums: &'a mut [f32],
    units: usize,
) -> &'a mut [f32] {
    let samples: [&[f32]; N] = std::array::from_fn(|_| samples.next().expect("as many samples as sums"));
    let (sums, rest) = sums.split_at_mut(N * units);
    let whole = units / S::F32_LANES * S::F32_LANES;
    for unit in (0..whole).step_by(S::F32_LANES) {
        let mut vectors = [simd.splat_f32s(0.0); N];
        for n in 0..N {
            vectors[n] = load::<S>(&sums[n * units + unit..]);
        }
        for (index, row) in weights.chunks_exact(units).enumerate() {
            let weights = load::<S>(&row[unit..]);
            for n in 0..N {
                vectors[n] = simd.mul_add_e_f32s(simd.splat_f32s(samples[n][index]), weights, vectors[n]);
            }
        }
        for n in 0..N {
            store::<S>(vectors[n], &mut sums[n * units + unit..]);
        }
    }
    for (n, sample) in samples.iter().enumerate() {
        for (value, row) in sample.iter().zip(weights.chunks_exact(units)) {
            let sums = &mut sums[n * units..][whole..units];
            sums.iter_mut().zip(&row[whole..]).for_each(|(sum, weight)| *sum += value * weight);
        }
    }
    rest
}
