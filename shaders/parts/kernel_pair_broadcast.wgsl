// From four input channels to four output channels and the next four. Each of eight threads, which are the first lanes of a
// subgroup, loads an input channel's and hands it to the others.
fn kernels(i: u32, quad: u32, layer: u32, thread: u32) -> Matrices {
    return hand_out(load_weights(vec2<u32>(i + thread % 4u, quad + thread / 4u), layer));
}
