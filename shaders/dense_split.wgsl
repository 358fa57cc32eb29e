// Fully connected layer as dense.wgsl has it, for GPUs whose workgroup memory is fast: at small batches all that counts is
// how fast the weights are read, which takes more threads than there are units. So each sum is split.
//
//   y[n, o] = act(bias[o] + sum over i of x[n, i] * kernel[i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n] layers; their texels, row by row, are the vector's quads
//   output   the same
//   weights  as dense.wgsl has them
//   channels bias of the part, four units an element
//
// Threads: workgroups along y are 4 quads of units, half a group, along z 8 samples. In a workgroup, x is a quad; y is one of
// 64 slices of the inputs, taken by turns, so that neighbours load neighbouring texels of the weights. The slices' sums meet
// in workgroup memory, four samples at a time, and the first four slices' threads add them in order.
//
// Edges: quads beyond the part's are zero; samples beyond the batch are read as its last; neither is stored.

const SPLIT_SAMPLES = 8u;
const SPLIT_QUADS = 4u;
const SLICES = 64u;
const ROUND = 4u;

// By sample of a round, slice and quad.
var<workgroup> partial: array<vec4<f32>, ROUND * SLICES * SPLIT_QUADS>;

// Adds what all slices have of four samples, and stores it.
fn meet(local: vec2<u32>, first_sample: u32, part_quad: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    let at = local.y * SPLIT_QUADS + local.x;
    partial[at] = s0;
    partial[at + SLICES * SPLIT_QUADS] = s1;
    partial[at + 2u * SLICES * SPLIT_QUADS] = s2;
    partial[at + 3u * SLICES * SPLIT_QUADS] = s3;
    workgroupBarrier();
    if local.y < ROUND {
        var sum = vec4<f32>();
        for (var slice = 0u; slice < SLICES; slice++) {
            sum += partial[(local.y * SLICES + slice) * SPLIT_QUADS + local.x];
        }
        store(first_sample + local.y, part_quad, sum + bias(part_quad));
    }
    workgroupBarrier();
}

@compute @workgroup_size(SPLIT_QUADS, SLICES)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let quad = group.y * SPLIT_QUADS + local.x;
    let layer_quads = params.layer_inputs / 4u;
    let sample = group.z * SPLIT_SAMPLES;
    let last = params.batch - 1u;
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    var y4 = vec4<f32>();
    var y5 = vec4<f32>();
    var y6 = vec4<f32>();
    var y7 = vec4<f32>();
    for (var i = local.y; i < params.in_quads; i += SLICES) {
        let layer = i / layer_quads;
        let kernel = load_kernel(4u * (i - layer * layer_quads), quad % GROUP_QUADS, quad / GROUP_QUADS, layer);
        let row = i / params.in_width;
        let at = vec2<u32>(i - row * params.in_width, row);
        y0 += kernel * load_input(at, min(sample, last));
        y1 += kernel * load_input(at, min(sample + 1u, last));
        y2 += kernel * load_input(at, min(sample + 2u, last));
        y3 += kernel * load_input(at, min(sample + 3u, last));
        y4 += kernel * load_input(at, min(sample + 4u, last));
        y5 += kernel * load_input(at, min(sample + 5u, last));
        y6 += kernel * load_input(at, min(sample + 6u, last));
        y7 += kernel * load_input(at, min(sample + 7u, last));
    }
    meet(local.xy, sample, quad, y0, y1, y2, y3);
    meet(local.xy, sample + ROUND, quad, y4, y5, y6, y7);
}
