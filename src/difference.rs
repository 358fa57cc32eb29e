//! How far a device's results are from those of another.

use crate::Tensor;

/// The largest relative difference that rounding explains. Both sides may be f32. The worst of a layer is a convolution of
/// white noise by Winograd's F(7x7, 3x3), whose 512 channels come to 2e-5 on the CPU and 3e-5 on a rasteriser; layers behind
/// it average that, so that VGG16's features have 5e-6.
pub const ROUNDING: f64 = 5e-5;

/// Of values found from those expected.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Difference {
    /// The largest magnitude expected.
    pub largest: f64,
    /// The largest difference; NaN where there is any on either side.
    pub difference: f64,
}

impl Difference {
    /// Of two tensors of the same shape.
    pub fn between(expected: &Tensor, found: &Tensor) -> Difference {
        assert_eq!((expected.n, expected.shape), (found.n, found.shape), "only equal shapes are compared");
        let pairs = expected.data.iter().zip(&found.data);
        pairs.fold(Difference::default(), |all, (&expected, &found)| {
            let (expected, found) = (f64::from(expected), f64::from(found));
            all.and(Difference { largest: expected.abs(), difference: (expected - found).abs() })
        })
    }

    /// Of both.
    pub fn and(self, other: Difference) -> Difference {
        let larger = other.difference.is_nan() || other.difference > self.difference;
        Difference {
            largest: self.largest.max(other.largest),
            difference: if larger { other.difference } else { self.difference },
        }
    }

    /// The difference as a share of the largest magnitude.
    pub fn relative(self) -> f64 {
        if self.difference == 0.0 { 0.0 } else { self.difference / self.largest }
    }

    /// Whether rounding explains it.
    pub fn is_rounding(self) -> bool {
        // False for NaN.
        self.relative() <= ROUNDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn a_nan_anywhere_and_a_wrong_value_among_right_ones_are_no_rounding() {
        let tensor = |data: [f32; 4]| Tensor::new(2, Shape::Vector(2), data.to_vec());
        let expected = tensor([1.0, -4.0, 0.0, 2.0]);
        let between = |found| Difference::between(&expected, &tensor(found));
        assert_eq!(between([1.0, -4.0, 0.0, 2.0]).relative(), 0.0);
        assert!(between([1.0, -4.0, 0.0001, 2.0]).is_rounding());
        assert_eq!(between([1.0, -3.0, 0.0, 2.5]), Difference { largest: 4.0, difference: 1.0 });
        for wrong in [[1.0, -4.0, 0.001, 2.0], [f32::NAN, -4.0, 0.0, 2.0], [1.0, -4.0, 0.0, f32::NAN]] {
            assert!(!between(wrong).is_rounding(), "{wrong:?}");
        }
        let (found, zeros) = (tensor([0.0, 0.0, 0.0, 1e-30]), tensor([0.0; 4]));
        assert!(!Difference::between(&zeros, &found).is_rounding());
    }
}
