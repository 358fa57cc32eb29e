// 2-D convolution of any window, bias and activation, as conv2d.wgsl has it, for GPUs whose workgroup memory is fast: the
// product of a matrix that has a row for each output pixel of the batch, and the kernel. The first matrix exists nowhere;
// it is read from the map, a tap after the other, so that a pixel's place is worked out once and its edges once a slab.
//
//   y[n, oy, ox, o] = act(bias[o] + sum over ky, kx, i of
//       x[n, oy * stride.y + ky - before.y, ox * stride.x + kx - before.x, i] * kernel[ky, kx, i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n * in_quads] layers of (in_size.y rows, in_size.x columns), four channels a texel
//   output   [n * out_quads] layers of (out_size.y, out_size.x), four channels a texel
//   weights  texel (q, i) of layer kernel.x * ky + kx is kernel[ky, kx, i, 4q .. 4q + 3]; zero where i or q is no channel
//   channels bias, four channels an element, zero where there is no channel
//
// Threads: workgroups along x are tiles' columns (output channels), along y tiles' rows (pixels of all samples, row by
// row); within a workgroup as in parts/tile.wgsl.
//
// Edges: outside the map, and beyond the input channels, the left matrix is zero. Pixels and quads beyond the last are read
// as the last and not stored.

struct Params {
    in_size: vec2<u32>,
    in_quads: u32,
    out_quads: u32,
    out_size: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    before: vec2<u32>,
    batch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> channels: array<vec4<f32>>;

var<private> group: vec3<u32>;

// Slabs for each tap of the kernel.
fn tap_slabs() -> u32 {
    return (params.in_quads + SLAB_QUADS - 1u) / SLAB_QUADS;
}

// Column, row and sample of an output pixel.
fn output_pixel(row: u32) -> vec3<u32> {
    let per_sample = params.out_size.x * params.out_size.y;
    let within = row % per_sample;
    return vec3<u32>(within % params.out_size.x, within / params.out_size.x, row / per_sample);
}

fn pixel_count() -> u32 {
    return params.batch * params.out_size.x * params.out_size.y;
}

// Column and row of the first tap, and layer of the first quad.
fn left_row(row: u32) -> vec3<i32> {
    let at = output_pixel(min(group.y * TILE_ROWS + row, pixel_count() - 1u));
    let first = vec2<i32>(at.xy * params.stride) - vec2<i32>(params.before);
    return vec3<i32>(first, i32(at.z * params.in_quads));
}

fn load_left(first: vec3<i32>, slab: u32, q: u32) -> vec4<f32> {
    let tap = slab / tap_slabs();
    let quad = slab % tap_slabs() * SLAB_QUADS + q;
    let at = first.xy + vec2<i32>(vec2<u32>(tap % params.kernel.x, tap / params.kernel.x));
    let value = pixel(at.x, at.y, u32(first.z) + min(quad, params.in_quads - 1u));
    return select(vec4<f32>(), value, quad < params.in_quads);
}

fn load_right(slab: u32, k: u32, quad: u32) -> vec4<f32> {
    let i = min(slab % tap_slabs() * SLAB + k, 4u * params.in_quads - 1u);
    let q = min(group.x * TILE_QUADS + quad, params.out_quads - 1u);
    return load_weights(vec2<u32>(q, i), slab / tap_slabs());
}

fn store(row: u32, quad: u32, sum: vec4<f32>) {
    let pixel_row = group.y * TILE_ROWS + row;
    let q = group.x * TILE_QUADS + quad;
    if pixel_row < pixel_count() && q < params.out_quads {
        let at = output_pixel(pixel_row);
        store_texel(at.xy, at.z * params.out_quads + q, activate(sum + channels[q]));
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    group = workgroup;
    store_sums(thread, product(params.kernel.x * params.kernel.y * tap_slabs(), thread));
}
