// From four input channels to four output channels and the next four.
struct KernelPair {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

// Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> KernelPair {
    return KernelPair(kernel(i, quad, layer), kernel(i, quad + 1u, layer));
}
