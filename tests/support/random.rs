//! Seeded random values for weights and inputs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of values that depends on a name only.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `name`.
    pub fn new(name: &str) -> Random {
        let mut seed = [0; 32];
        for (index, byte) in name.bytes().enumerate() {
            let slot: &mut u8 = &mut seed[index % 32];
            *slot = slot.wrapping_mul(31).wrapping_add(byte);
        }
        Random(ChaCha8Rng::from_seed(seed))
    }

    /// `len` values, uniform in `low..high`.
    pub fn uniform(&mut self, len: usize, low: f32, high: f32) -> Vec<f32> {
        let unit = 1.0 / (1u32 << 24) as f32;
        (0..len).map(|_| low + (high - low) * ((self.0.next_u32() >> 8) as f32 * unit)).collect()
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
