// Where V and M keep the spectra of Winograd's tiles. Blocks of tiles follow each other down the texture, each with a row
// for each quad of channels; a row has the block's tiles at the first frequency, then at the second, to the last. So what
// one thread of the transforms reads or writes is close together, and what neighbouring threads do is adjacent.

// Tiles of a block.
const TILE_BLOCK = 64u;

fn place(tile: u32, frequency: u32, quad: u32, block_rows: u32) -> vec2<u32> {
    return vec2<u32>(TILE_BLOCK * frequency + tile % TILE_BLOCK, tile / TILE_BLOCK * block_rows + quad);
}
