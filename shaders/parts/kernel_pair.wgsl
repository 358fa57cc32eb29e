// From four input channels to four output channels and the next four. Each thread loads all of them.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Matrices {
    return Matrices(kernel(i, quad, layer), kernel(i, quad + 1u, layer));
}
