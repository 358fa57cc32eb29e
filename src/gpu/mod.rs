//! The GPU backend: the only place that touches wgpu.
