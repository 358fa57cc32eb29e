// Fully connected layer, or the part of its units whose weights are in one texture, with bias and activation.
//
//   y[n, o] = act(bias[o] + sum over i of x[n, i] * kernel[i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n] layers; their texels, row by row, are the vector's quads
//   output   the same
//   weights  texel (q, i % rows) of layer i / rows is kernel[i, 4 * (first_quad + q) .. + 3]; zero where i is no input
//   channels bias of the part, four units an element
//
// Threads: y, then x, is a quad of units; z is 4 samples, so that a thread reads its weights once for all of them.
// Neighbouring threads load neighbouring texels of the weights and the same texel of the input.
//
// Edges: the last thread of z may have fewer samples; those beyond the batch are read from its last one and not stored.

// Samples that one thread computes.
const TILE_SAMPLES = 4u;

struct Params {
    in_width: u32,
    in_quads: u32,
    rows: u32,
    out_width: u32,
    first_quad: u32,
    quads: u32,
    batch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var input: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(2) var output: texture_storage_2d_array<rgba32float, write>;
@group(0) @binding(3) var weights: texture_storage_2d_array<rgba32float, read>;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

fn store(sample: u32, part_quad: u32, sum: vec4<f32>) {
    if sample < params.batch {
        let value = activate(sum + channels[part_quad]);
        let quad = params.first_quad + part_quad;
        textureStore(output, vec2<u32>(quad % params.out_width, quad / params.out_width), sample, value);
    }
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let quad = thread.y * WORKGROUP_WIDTH + thread.x;
    if quad >= params.quads {
        return;
    }
    let sample = thread.z * TILE_SAMPLES;
    let last = params.batch - 1u;
    let s0 = min(sample, last);
    let s1 = min(sample + 1u, last);
    let s2 = min(sample + 2u, last);
    let s3 = min(sample + 3u, last);
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    var at = vec2<u32>();
    var row = 0u;
    var layer = 0u;
    for (var i = 0u; i < params.in_quads; i++) {
        let kernel = mat4x4<f32>(
            textureLoad(weights, vec2<u32>(quad, row), layer),
            textureLoad(weights, vec2<u32>(quad, row + 1u), layer),
            textureLoad(weights, vec2<u32>(quad, row + 2u), layer),
            textureLoad(weights, vec2<u32>(quad, row + 3u), layer),
        );
        y0 += kernel * textureLoad(input, at, s0);
        y1 += kernel * textureLoad(input, at, s1);
        y2 += kernel * textureLoad(input, at, s2);
        y3 += kernel * textureLoad(input, at, s3);
        // Counted and not divided: lavapipe divides lane by lane.
        at.x++;
        if at.x == params.in_width {
            at = vec2<u32>(0u, at.y + 1u);
        }
        row += 4u;
        if row == params.rows {
            row = 0u;
            layer++;
        }
    }
    store(sample, quad, y0);
    store(sample + 1u, quad, y1);
    store(sample + 2u, quad, y2);
    store(sample + 3u, quad, y3);
}
