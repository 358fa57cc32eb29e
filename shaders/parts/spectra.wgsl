// Where V and M keep the spectra of Winograd's tiles. Blocks of tiles follow each other down the texture, each with a row
// for each quad of channels; a row has the block's tiles at the first frequency, then at the second, to the last. So what
// one thread of the transforms reads or writes is close together, and what neighbouring threads do is adjacent.

// Tiles of a block.
const TILE_BLOCK = 64u;

// The column and row of a sample's tile. Tiles follow each other row by row, or, where squares is 1 and not 0, in squares of
// two by two: so four neighbouring threads have all of the 14 x 14 pixels that a pool of 2 x 2 pixels divides.
fn grid_place(tile: u32, tiles_x: u32, squares: u32) -> vec2<u32> {
    let unit = tile >> (2u * squares);
    let units_x = tiles_x >> squares;
    // A division and no remainder: lavapipe divides lane by lane.
    let row = unit / units_x;
    let first = vec2<u32>(unit - row * units_x, row) << vec2<u32>(squares);
    return first + (vec2<u32>(tile, tile >> 1u) & vec2<u32>(squares));
}

fn place(tile: u32, frequency: u32, quad: u32, block_rows: u32) -> vec2<u32> {
    return vec2<u32>(TILE_BLOCK * frequency + tile % TILE_BLOCK, tile / TILE_BLOCK * block_rows + quad);
}
