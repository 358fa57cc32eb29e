// Each of eight threads, which are the first lanes of a subgroup, loads a sample's and hands it to the others.
fn load_samples(at: vec2<u32>, first: u32, thread: u32) -> Samples {
    let own = load_input(at, min(first + thread, params.batch - 1u));
    return Samples(
        subgroupBroadcast(own, 0u),
        subgroupBroadcast(own, 1u),
        subgroupBroadcast(own, 2u),
        subgroupBroadcast(own, 3u),
        subgroupBroadcast(own, 4u),
        subgroupBroadcast(own, 5u),
        subgroupBroadcast(own, 6u),
        subgroupBroadcast(own, 7u),
    );
}
