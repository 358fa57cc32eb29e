//! The tiles of a matrix product that a workgroup computes from workgroup memory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Rows by columns of results that a workgroup of `shaders/parts/tile.wgsl` has. Larger ones read less, smaller ones leave
/// more workgroups to fill a GPU with: which is best is measured, see [`crate::gpu::tuner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tile {
    T128x128,
    T128x64,
    T64x64,
    T32x64,
}

/// Terms of each sum that are in workgroup memory at once: `SLAB` of the shader.
pub const SLAB: usize = 16;

/// Rows, and columns, that one thread has.
const THREAD_SIDE: usize = 8;

impl Tile {
    pub const ALL: [Tile; 4] = [Tile::T128x128, Tile::T128x64, Tile::T64x64, Tile::T32x64];

    /// Rows and columns.
    pub fn sides(self) -> [usize; 2] {
        match self {
            Tile::T128x128 => [128, 128],
            Tile::T128x64 => [128, 64],
            Tile::T64x64 => [64, 64],
            Tile::T32x64 => [32, 64],
        }
    }

    /// Rows.
    pub fn rows(self) -> usize {
        self.sides()[0]
    }

    /// Quads of columns.
    pub fn quads(self) -> usize {
        self.sides()[1] / 4
    }

    /// Threads of a workgroup.
    pub fn threads(self) -> usize {
        self.sides().into_iter().map(|side| side / THREAD_SIDE).product()
    }

    /// Bytes of workgroup memory.
    pub fn workgroup_bytes(self) -> usize {
        self.sides().into_iter().sum::<usize>() * SLAB * 4
    }

    /// What stands before a shader that is compiled for this tile.
    pub fn constants(self) -> String {
        let [rows, columns] = self.sides();
        format!("const TILE_ROWS = {rows}u;\nconst TILE_COLUMNS = {columns}u;\n")
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.sides();
        write!(f, "{rows}x{columns}")
    }
}
