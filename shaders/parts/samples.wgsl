// Each thread loads all of them.
fn load_samples(at: vec2<u32>, first: u32, thread: u32) -> Samples {
    let last = params.batch - 1u;
    return Samples(
        load_input(at, min(first, last)),
        load_input(at, min(first + 1u, last)),
        load_input(at, min(first + 2u, last)),
        load_input(at, min(first + 3u, last)),
        load_input(at, min(first + 4u, last)),
        load_input(at, min(first + 5u, last)),
        load_input(at, min(first + 6u, last)),
        load_input(at, min(first + 7u, last)),
    );
}
