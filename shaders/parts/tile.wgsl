// The product of two matrices, a tile of it in each workgroup; what conv2d_tiled.wgsl and winograd_product_tiled.wgsl share.
//
//   P[row, column] = sum over k of left(row, k) * right(k, column)
//
// The shader says what the matrices are: left_row(row) is where a row is found, load_left(place, slab, q) is left(row, k)
// of that row for the four k of quad q of a slab of 16, load_right(slab, k, quad) is right(k, column) for the four columns
// of a quad. Rows and quads count within the tile. Beyond a matrix both must be finite, and one of them zero.
//
// Thread mapping: a slab of both matrices is copied to workgroup memory by all threads, neighbours loading neighbouring
// rows or quads, each always of the same row. Then a thread sums 8 rows and 2 quads of columns, written out as in winograd_product.wgsl. Its rows and
// quads lie as many apart as there are threads along that side, so that neighbours read neighbouring memory.

// TILE_ROWS and TILE_COLUMNS are written before this by the plan: see src/plan/tile.rs.
const TILE_QUADS = TILE_COLUMNS / 4u;
const SLAB = 16u;
const SLAB_QUADS = 4u;

// Threads along the tile's sides.
const THREAD_ROWS = TILE_ROWS / 8u;
const THREAD_QUADS = TILE_QUADS / 2u;
const THREADS = THREAD_ROWS * THREAD_QUADS;
// Each row is loaded by so many threads.
const ROW_THREADS = THREADS / TILE_ROWS;
const_assert ROW_THREADS * TILE_ROWS == THREADS;

// What a thread sums: of its eight rows, one quad of columns and the other.
struct Sums {
    a0: vec4<f32>,
    b0: vec4<f32>,
    a1: vec4<f32>,
    b1: vec4<f32>,
    a2: vec4<f32>,
    b2: vec4<f32>,
    a3: vec4<f32>,
    b3: vec4<f32>,
    a4: vec4<f32>,
    b4: vec4<f32>,
    a5: vec4<f32>,
    b5: vec4<f32>,
    a6: vec4<f32>,
    b6: vec4<f32>,
    a7: vec4<f32>,
    b7: vec4<f32>,
}

// A quad of k of a row, rows fastest; a quad of columns of a k, quads fastest.
var<workgroup> left_slab: array<vec4<f32>, TILE_ROWS * SLAB_QUADS>;
var<workgroup> right_slab: array<vec4<f32>, SLAB * TILE_QUADS>;

fn load_slab(place: vec3<i32>, slab: u32, thread: u32) {
    for (var q = thread / TILE_ROWS; q < SLAB_QUADS; q += ROW_THREADS) {
        left_slab[q * TILE_ROWS + thread % TILE_ROWS] = load_left(place, slab, q);
    }
    for (var i = thread; i < SLAB * TILE_QUADS; i += THREADS) {
        right_slab[i] = load_right(slab, i / TILE_QUADS, i % TILE_QUADS);
    }
}

// From the four k of a quad to four columns.
fn right_matrix(q: u32, quad: u32) -> mat4x4<f32> {
    let first = 4u * q * TILE_QUADS + quad;
    return mat4x4<f32>(
        right_slab[first],
        right_slab[first + TILE_QUADS],
        right_slab[first + 2u * TILE_QUADS],
        right_slab[first + 3u * TILE_QUADS],
    );
}

// The sum with what the four k of a quad make of it: multiply-adds, one after the other, because a matrix times a vector
// and then a sum is an instruction more.
fn add(sum: vec4<f32>, right: mat4x4<f32>, left: vec4<f32>) -> vec4<f32> {
    let x = fma(right[0], left.xxxx, sum);
    let y = fma(right[1], left.yyyy, x);
    let z = fma(right[2], left.zzzz, y);
    return fma(right[3], left.wwww, z);
}

fn product(slabs: u32, thread: u32) -> Sums {
    let row = first_row(thread);
    let quad = first_quad(thread);
    let place = left_row(thread % TILE_ROWS);
    var sums = Sums();
    for (var slab = 0u; slab < slabs; slab++) {
        load_slab(place, slab, thread);
        workgroupBarrier();
        for (var q = 0u; q < SLAB_QUADS; q++) {
            let left = q * TILE_ROWS + row;
            let l0 = left_slab[left];
            let l1 = left_slab[left + THREAD_ROWS];
            let l2 = left_slab[left + 2u * THREAD_ROWS];
            let l3 = left_slab[left + 3u * THREAD_ROWS];
            let l4 = left_slab[left + 4u * THREAD_ROWS];
            let l5 = left_slab[left + 5u * THREAD_ROWS];
            let l6 = left_slab[left + 6u * THREAD_ROWS];
            let l7 = left_slab[left + 7u * THREAD_ROWS];
            let ra = right_matrix(q, quad);
            sums.a0 = add(sums.a0, ra, l0);
            sums.a1 = add(sums.a1, ra, l1);
            sums.a2 = add(sums.a2, ra, l2);
            sums.a3 = add(sums.a3, ra, l3);
            sums.a4 = add(sums.a4, ra, l4);
            sums.a5 = add(sums.a5, ra, l5);
            sums.a6 = add(sums.a6, ra, l6);
            sums.a7 = add(sums.a7, ra, l7);
            let rb = right_matrix(q, quad + THREAD_QUADS);
            sums.b0 = add(sums.b0, rb, l0);
            sums.b1 = add(sums.b1, rb, l1);
            sums.b2 = add(sums.b2, rb, l2);
            sums.b3 = add(sums.b3, rb, l3);
            sums.b4 = add(sums.b4, rb, l4);
            sums.b5 = add(sums.b5, rb, l5);
            sums.b6 = add(sums.b6, rb, l6);
            sums.b7 = add(sums.b7, rb, l7);
        }
        workgroupBarrier();
    }
    return sums;
}

// The first of a thread's rows and quads of columns, within the tile.
fn first_row(thread: u32) -> u32 {
    return thread / THREAD_QUADS;
}

fn first_quad(thread: u32) -> u32 {
    return thread % THREAD_QUADS;
}

// Hands each sum to the shader's store(row, quad, sum), row and quad within the tile.
fn store_sums(thread: u32, sums: Sums) {
    let row = first_row(thread);
    let quad = first_quad(thread);
    store(row, quad, sums.a0);
    store(row, quad + THREAD_QUADS, sums.b0);
    store(row + THREAD_ROWS, quad, sums.a1);
    store(row + THREAD_ROWS, quad + THREAD_QUADS, sums.b1);
    store(row + 2u * THREAD_ROWS, quad, sums.a2);
    store(row + 2u * THREAD_ROWS, quad + THREAD_QUADS, sums.b2);
    store(row + 3u * THREAD_ROWS, quad, sums.a3);
    store(row + 3u * THREAD_ROWS, quad + THREAD_QUADS, sums.b3);
    store(row + 4u * THREAD_ROWS, quad, sums.a4);
    store(row + 4u * THREAD_ROWS, quad + THREAD_QUADS, sums.b4);
    store(row + 5u * THREAD_ROWS, quad, sums.a5);
    store(row + 5u * THREAD_ROWS, quad + THREAD_QUADS, sums.b5);
    store(row + 6u * THREAD_ROWS, quad, sums.a6);
    store(row + 6u * THREAD_ROWS, quad + THREAD_QUADS, sums.b6);
    store(row + 7u * THREAD_ROWS, quad, sums.a7);
    store(row + 7u * THREAD_ROWS, quad + THREAD_QUADS, sums.b7);
}
