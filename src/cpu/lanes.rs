//! Neighbouring channels as one vector, of whatever width the processor has.

use pulp::Simd;

/// The first channels, of which there is at least a whole vector: what handles fewer would be a call, and a call keeps all
/// that is around it out of the registers.
#[inline(always)]
pub fn load<S: Simd>(channels: &[f32]) -> S::f32s {
    S::as_simd_f32s(&channels[..S::F32_LANES]).0[0]
}

/// Writes to the first channels.
#[inline(always)]
pub fn store<S: Simd>(vector: S::f32s, channels: &mut [f32]) {
    S::as_mut_simd_f32s(&mut channels[..S::F32_LANES]).0[0] = vector;
}

/// `factor * x + y`.
#[inline(always)]
pub fn mul_add<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y)
}
