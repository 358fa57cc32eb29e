// Fully connected layer, or the part of its units whose weights are in one texture, with bias and activation.
//
//   y[n, o] = act(bias[o] + sum over i of x[n, i] * kernel[i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n] layers; their texels, row by row, are the vector's quads
//   output   the same
//   weights  texel (8 * (i % layer_inputs) + q % 8, q / 8) of layer i / layer_inputs is kernel[i, 4 * (first_quad + q) .. + 3];
//            zero where i is no input or q no quad
//   channels bias of the part, four units an element
//
// Threads: y, then x, is a quad of units; z is 8 samples, so that a thread reads its weights once for all of them. Neighbouring
// threads load neighbouring texels of the weights and the same texels of the input, unless they hand those to each other. An
// iteration takes two quads of inputs: lavapipe keeps what a loop carries in memory, and copies it under a mask once in each.
//
// Edges: the last thread of z may have fewer samples; those beyond the batch are read from its last one and not stored.
// Neither are quads beyond the part's, which are read from its last group: every thread may have inputs that others need,
// as parts/samples_broadcast.wgsl says.

// Samples that one thread computes.
const TILE_SAMPLES = 8u;

// A quad of inputs of eight samples.
struct Samples {
    s0: vec4<f32>,
    s1: vec4<f32>,
    s2: vec4<f32>,
    s3: vec4<f32>,
    s4: vec4<f32>,
    s5: vec4<f32>,
    s6: vec4<f32>,
    s7: vec4<f32>,
}

// Where the quad after one is. Counted and not divided: lavapipe divides lane by lane.
fn after(at: vec2<u32>) -> vec2<u32> {
    return select(vec2<u32>(at.x + 1u, at.y), vec2<u32>(0u, at.y + 1u), at.x + 1u == params.in_width);
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let quad = thread.y * GROUP_QUADS + thread.x;
    let group = min(thread.y, (params.quads - 1u) / GROUP_QUADS);
    let sample = thread.z * TILE_SAMPLES;
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    var y4 = vec4<f32>();
    var y5 = vec4<f32>();
    var y6 = vec4<f32>();
    var y7 = vec4<f32>();
    var at = vec2<u32>();
    var first = 0u;
    var layer = 0u;
    for (var i = 0u; i < params.in_quads; i += 2u) {
        let next = after(at);
        let x = load_samples(at, sample, local.x);
        let z = load_samples(select(next, at, i + 1u == params.in_quads), sample, local.x);
        let k = load_kernel(first, thread.x, group, layer);
        let l = load_kernel(first + 4u, thread.x, group, layer);
        y0 += k * x.s0 + l * z.s0;
        y1 += k * x.s1 + l * z.s1;
        y2 += k * x.s2 + l * z.s2;
        y3 += k * x.s3 + l * z.s3;
        y4 += k * x.s4 + l * z.s4;
        y5 += k * x.s5 + l * z.s5;
        y6 += k * x.s6 + l * z.s6;
        y7 += k * x.s7 + l * z.s7;
        at = after(next);
        first += 8u;
        if first == params.layer_inputs {
            first = 0u;
            layer++;
        }
    }
    let bias = bias(quad);
    store(sample, quad, y0 + bias);
    store(sample + 1u, quad, y1 + bias);
    store(sample + 2u, quad, y2 + bias);
    store(sample + 3u, quad, y3 + bias);
    store(sample + 4u, quad, y4 + bias);
    store(sample + 5u, quad, y5 + bias);
    store(sample + 6u, quad, y6 + bias);
    store(sample + 7u, quad, y7 + bias);
}
