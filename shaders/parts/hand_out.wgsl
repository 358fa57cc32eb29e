// What each of eight threads has, which are the first lanes of a subgroup: of the first four, and of the others.
fn hand_out(own: vec4<f32>) -> Matrices {
    return Matrices(
        mat4x4<f32>(
            subgroupBroadcast(own, 0u),
            subgroupBroadcast(own, 1u),
            subgroupBroadcast(own, 2u),
            subgroupBroadcast(own, 3u),
        ),
        mat4x4<f32>(
            subgroupBroadcast(own, 4u),
            subgroupBroadcast(own, 5u),
            subgroupBroadcast(own, 6u),
            subgroupBroadcast(own, 7u),
        ),
    );
}
