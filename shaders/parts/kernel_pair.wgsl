// Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> KernelPair {
    return KernelPair(kernel(i, quad, layer), kernel(i, quad + 1u, layer));
}
