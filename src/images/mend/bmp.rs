//! BMP: rows follow each other without compression, filled up to whole 4 bytes, which may be missing.

use super::{size_of_rows, truncated_headers, u16_at, u32_at};
use crate::images::ImageError;
use crate::images::bmp::{CORE_HEADER_BYTES, FILE_HEADER_BYTES};

/// 256 colours of 4 bytes.
const MAX_PALETTE_BYTES: usize = 1024;

pub fn mend(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    let pixels = u32_at(bytes, 10)? as usize;
    let [width, height, depth, compression] = if u32_at(bytes, FILE_HEADER_BYTES)? == CORE_HEADER_BYTES {
        [u16_at(bytes, 18)?.into(), u16_at(bytes, 20)?.into(), u16_at(bytes, 24)?.into(), 0]
    } else {
        // Rows from the top have a negative height.
        let height = (u32_at(bytes, 22)? as i32).unsigned_abs();
        [u32_at(bytes, 18)?, height, u16_at(bytes, 28)?.into(), u32_at(bytes, 30)?]
    };
    // None, or masks.
    if ![0, 3].contains(&compression) {
        return Err(ImageError::Damaged("it is truncated and compressed".to_owned()));
    }
    let (width, height) = (width as usize, height as usize);
    let header = FILE_HEADER_BYTES + u32_at(bytes, FILE_HEADER_BYTES)? as usize;
    if bytes.len() < header || pixels > bytes.len().max(header + MAX_PALETTE_BYTES) {
        return Err(truncated_headers());
    }
    let row_bits = width * depth as usize;
    let (row, filled) = (row_bits.div_ceil(8), row_bits.div_ceil(32) * 4);
    let size = size_of_rows(filled, width, height)?;
    // A palette may be cut, too.
    let rows = bytes.get(pixels..).unwrap_or_default();
    let whole = (rows.len() + filled - row) / filled.max(1) * filled;
    let mut mended = bytes[..bytes.len().min(pixels + whole)].to_vec();
    mended.resize(pixels + size, 0);
    Ok(mended)
}
