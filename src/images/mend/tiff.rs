//! TIFF: strips of rows without compression. Of compressed ones Pillow, too, takes none that are truncated.

use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::size_of_rows;
use crate::images::ImageError;

pub fn mend(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    let damaged = |error: tiff::TiffError| ImageError::Damaged(error.to_string());
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let (width, height) = (width as usize, height as usize);
    if decoder.find_tag_unsigned(Tag::Compression).map_err(damaged)?.unwrap_or(1u16) != 1 {
        return Err(ImageError::Damaged("it is truncated and compressed".to_owned()));
    }
    let bits = usize::from(decoder.colortype().map_err(damaged)?.bit_depth());
    let samples = decoder.find_tag_unsigned(Tag::SamplesPerPixel).map_err(damaged)?.unwrap_or(1u16);
    let row = width.saturating_mul(bits * usize::from(samples)).div_ceil(8);
    size_of_rows(row, width, height)?;
    let rows_per_strip = decoder.find_tag_unsigned(Tag::RowsPerStrip).map_err(damaged)?.unwrap_or(u32::MAX) as usize;
    let offsets = decoder.get_tag_u64_vec(Tag::StripOffsets).map_err(damaged)?;
    let mut mended = bytes.to_vec();
    for (index, offset) in offsets.into_iter().enumerate() {
        let rows = height.saturating_sub(index.saturating_mul(rows_per_strip)).min(rows_per_strip);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        // One that begins behind the end would need a file that this image has no right to.
        if offset > mended.len().max(bytes.len()) {
            return Err(ImageError::Damaged("strips are missing".to_owned()));
        }
        let whole = bytes.len().saturating_sub(offset).min(row * rows) / row.max(1) * row;
        if whole < row * rows {
            mended.resize(mended.len().max(offset + row * rows), 0);
            mended[offset + whole..offset + row * rows].fill(0);
        }
    }
    Ok(mended)
}
