// 3x3 convolution with stride 1 of at most three input channels, as the first of a network is, to a map of even width, with bias
// and activation. For adapters whose threads hand values to each other.
//
//   y[n, oy, ox, o] = act(bias[o] + sum over ky, kx, i of x[n, oy + ky - before.y, ox + kx - before.x, i] * kernel[ky, kx, i, o])
//
// Bindings
//   params   sizes; see Params
//   input    [n] layers of (in_size.y rows, in_size.x columns), three channels a texel
//   output   [n * out_quads] layers of (out_size.y, out_size.x), four channels a texel
//   weights  [9 taps and the bias] layers of (out quads rounded up to 2, 4): texel (i, q) of layer 3 * ky + kx is
//            kernel[ky, kx, i, 4q .. 4q + 3], texel (0, q) of layer 9 is bias[4q .. 4q + 3]; zero where i or q is no channel.
//            lavapipe reads textures faster than the storage buffers that other shaders have the bias in
//
// Threads: workgroups along x are 16 columns, of which a thread takes two, eight apart; y is 2 rows, z a sample. A thread
// loads its part of the image once and keeps it for all output channels, of which it computes 2 quads at a time.
//
// Edges: outside the map the input is zero. Columns beyond the output's width, rows beyond its height and an odd last quad
// are computed and not stored: every thread may have kernels that others need, as parts/kernel_pair_broadcast.wgsl says, and
// texels that it stores for another.

// Output columns, rows and quads of output channels that one thread computes together.
const TILE_COLUMNS = 2u;
const TILE_ROWS = 2u;
const TILE_QUADS = 2u;

// The layer of the weights behind the taps'.
const BIAS = 9u;

// One column of pixels.
struct Column {
    y0: vec3<f32>,
    y1: vec3<f32>,
    y2: vec3<f32>,
    y3: vec3<f32>,
}

// From three input channels to four output channels and the next four.
struct Tap {
    a: mat3x4<f32>,
    b: mat3x4<f32>,
}

// Of one column and two rows, four output channels and the next four.
struct Sums {
    a0: vec4<f32>,
    a1: vec4<f32>,
    b0: vec4<f32>,
    b1: vec4<f32>,
}

fn load_column(x: i32, y: i32, sample: u32) -> Column {
    return Column(
        pixel(x, y, sample).xyz,
        pixel(x, y + 1, sample).xyz,
        pixel(x, y + 2, sample).xyz,
        pixel(x, y + 3, sample).xyz,
    );
}

fn load_tap(quad: u32, tap: u32, thread: u32) -> Tap {
    let pair = kernels(0u, quad, tap, thread);
    return Tap(mat3x4<f32>(pair.a[0], pair.a[1], pair.a[2]), mat3x4<f32>(pair.b[0], pair.b[1], pair.b[2]));
}

// The sums with what a column of the kernel makes of a column of pixels.
fn add(sums: Sums, top: Tap, middle: Tap, bottom: Tap, v: Column) -> Sums {
    return Sums(
        sums.a0 + top.a * v.y0 + middle.a * v.y1 + bottom.a * v.y2,
        sums.a1 + top.a * v.y1 + middle.a * v.y2 + bottom.a * v.y3,
        sums.b0 + top.b * v.y0 + middle.b * v.y1 + bottom.b * v.y2,
        sums.b1 + top.b * v.y1 + middle.b * v.y2 + bottom.b * v.y3,
    );
}

fn store_rows(x: u32, y: u32, sample: u32, quad: u32, top: vec4<f32>, bottom: vec4<f32>) {
    let at = array(vec2<u32>(x, y), vec2<u32>(x, y + 1u));
    // Here and not in an `if` around the call, with which lavapipe compiles the shader anew for each launch.
    let size = select(vec2<u32>(), params.out_size, quad < params.out_quads);
    store_two_within(size, at, sample * params.out_quads + quad, activate(top), activate(bottom));
}

fn store_sums(x: u32, y: u32, sample: u32, quad: u32, sums: Sums) {
    store_rows(x, y, sample, quad, sums.a0, sums.a1);
    store_rows(x, y, sample, quad + 1u, sums.b0, sums.b1);
}

@compute @workgroup_size(WORKGROUP_WIDTH, WORKGROUP_ROWS)
fn main(
    @builtin(global_invocation_id) thread: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let sample = thread.z;
    let x = group.x * TILE_COLUMNS * WORKGROUP_WIDTH + local.x;
    let y = thread.y * TILE_ROWS;
    let x0 = i32(x) - i32(params.before.x);
    let y0 = i32(y) - i32(params.before.y);
    let left0 = load_column(x0, y0, sample);
    let left1 = load_column(x0 + 1, y0, sample);
    let left2 = load_column(x0 + 2, y0, sample);
    let right0 = load_column(x0 + 8, y0, sample);
    let right1 = load_column(x0 + 9, y0, sample);
    let right2 = load_column(x0 + 10, y0, sample);
    for (var quad = 0u; quad < params.out_quads; quad += TILE_QUADS) {
        let bias = load_tap(quad, BIAS, local.x);
        var left = Sums(bias.a[0], bias.a[0], bias.b[0], bias.b[0]);
        var right = left;
        let top0 = load_tap(quad, 0u, local.x);
        let middle0 = load_tap(quad, 3u, local.x);
        let bottom0 = load_tap(quad, 6u, local.x);
        left = add(left, top0, middle0, bottom0, left0);
        right = add(right, top0, middle0, bottom0, right0);
        let top1 = load_tap(quad, 1u, local.x);
        let middle1 = load_tap(quad, 4u, local.x);
        let bottom1 = load_tap(quad, 7u, local.x);
        left = add(left, top1, middle1, bottom1, left1);
        right = add(right, top1, middle1, bottom1, right1);
        let top2 = load_tap(quad, 2u, local.x);
        let middle2 = load_tap(quad, 5u, local.x);
        let bottom2 = load_tap(quad, 8u, local.x);
        left = add(left, top2, middle2, bottom2, left2);
        right = add(right, top2, middle2, bottom2, right2);
        store_sums(x, y, sample, quad, left);
        store_sums(x + WORKGROUP_WIDTH, y, sample, quad, right);
    }
}
