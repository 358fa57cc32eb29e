// Softmax over channels.
//
//   y[.., c] = exp(x[.., c] - max over k of x[.., k]) / sum over j of exp(x[.., j] - max over k of x[.., k])
//
// Bindings
//   params   sizes; see Params
//   input    a map: [n * quads] layers of (size.y, size.x); a vector: [n] layers whose texels are its quads, row by row
//   output   the same
//
// Threads: for a map, x and y are a pixel's and z is the sample; for a vector only the first thread of each z works. A
// thread walks all channels three times: nothing waits for a classifier's thousand.
//
// Edges: values that fill up the last quad take part in neither maximum nor sum.

struct Params {
    size: vec2<u32>,
    channels: u32,
    is_vector: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// The texel (x, y) and layer (z) of a quad.
fn place(thread: vec3<u32>, quad: u32, quads: u32) -> vec3<u32> {
    if params.is_vector != 0u {
        return vec3<u32>(quad % params.size.x, quad / params.size.x, thread.z);
    }
    return vec3<u32>(thread.xy, thread.z * quads + quad);
}

// The lowest f32 where there is no channel, so that neither maximum nor sum sees it.
fn values(at: vec3<u32>, quad: u32) -> vec4<f32> {
    let channel = vec4<u32>(0u, 1u, 2u, 3u) + 4u * quad;
    return select(vec4<f32>(-3.4028235e38), load_input(at.xy, at.z), channel < vec4<u32>(params.channels));
}

// Of differences from the maximum. Below -200 it is zero in f32, and not every driver's exp is sure of it.
fn exponential(difference: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(), exp(difference), difference > vec4<f32>(-200.0));
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let outside = thread.x >= params.size.x || thread.y >= params.size.y;
    let idle = params.is_vector != 0u && (thread.x > 0u || thread.y > 0u);
    if outside || idle {
        return;
    }
    let quads = (params.channels + 3u) / 4u;
    var largest = vec4<f32>(-3.4028235e38);
    for (var quad = 0u; quad < quads; quad++) {
        largest = max(largest, values(place(thread, quad, quads), quad));
    }
    let shift = max(max(largest.x, largest.y), max(largest.z, largest.w));
    var sums = vec4<f32>();
    for (var quad = 0u; quad < quads; quad++) {
        sums += exponential(values(place(thread, quad, quads), quad) - shift);
    }
    let sum = dot(sums, vec4<f32>(1.0));
    for (var quad = 0u; quad < quads; quad++) {
        let at = place(thread, quad, quads);
        store_texel(at.xy, at.z, exponential(values(at, quad) - shift) / sum);
    }
}
