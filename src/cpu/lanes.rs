//! Neighbouring channels as one vector, of whatever width the processor has.

use pulp::Simd;

/// The first channels, and zeros where there are fewer than a vector holds.
#[inline(always)]
pub fn load<S: Simd>(simd: S, channels: &[f32]) -> S::f32s {
    match S::as_simd_f32s(channels).0.first() {
        Some(vector) => *vector,
        None => simd.partial_load_f32s(channels),
    }
}

/// Writes to the first channels, or to as many as there are.
#[inline(always)]
pub fn store<S: Simd>(simd: S, vector: S::f32s, channels: &mut [f32]) {
    match S::as_mut_simd_f32s(channels).0.first_mut() {
        Some(place) => *place = vector,
        None => simd.partial_store_f32s(channels, vector),
    }
}

/// `factor * x + y`.
#[inline(always)]
pub fn mul_add<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y)
}
