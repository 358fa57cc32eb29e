//! Neighbouring channels as one value.

use std::ops::{Add, Mul, Sub};

/// How many channels are computed together: one AVX register, two of SSE or NEON.
pub const LANES: usize = 8;

/// As many channels of one pixel. The compiler makes vector instructions of its operations, of the kind that the caller
/// is compiled for: they must be inlined, so they are loops without closures, which are not always inlined.
#[derive(Clone, Copy)]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub const ZERO: Lanes = Lanes([0.0; LANES]);

    /// The first values of `channels`, and zeros where there are fewer.
    #[inline(always)]
    pub fn load(channels: &[f32]) -> Lanes {
        match channels.first_chunk() {
            Some(values) => Lanes(*values),
            None => {
                let mut values = [0.0; LANES];
                values[..channels.len()].copy_from_slice(channels);
                Lanes(values)
            }
        }
    }

    /// Writes to the first values of `channels`, or to as many as there are.
    #[inline(always)]
    pub fn store(self, channels: &mut [f32]) {
        match channels.first_chunk_mut() {
            Some(values) => *values = self.0,
            None => channels.copy_from_slice(&self.0[..channels.len()]),
        }
    }
}

impl Add for Lanes {
    type Output = Lanes;

    #[inline(always)]
    fn add(mut self, other: Lanes) -> Lanes {
        for lane in 0..LANES {
            self.0[lane] += other.0[lane];
        }
        self
    }
}

impl Sub for Lanes {
    type Output = Lanes;

    #[inline(always)]
    fn sub(mut self, other: Lanes) -> Lanes {
        for lane in 0..LANES {
            self.0[lane] -= other.0[lane];
        }
        self
    }
}

impl Mul<Lanes> for f32 {
    type Output = Lanes;

    #[inline(always)]
    fn mul(self, mut lanes: Lanes) -> Lanes {
        for lane in &mut lanes.0 {
            *lane *= self;
        }
        lanes
    }
}
