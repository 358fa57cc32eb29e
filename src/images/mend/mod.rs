//! What is left of a truncated or damaged image, as Pillow takes it where `ImageFile.LOAD_TRUNCATED_IMAGES` is set: the rows
//! whose data are whole; the others are black, or the first colour of a palette.
//!
//! Each format's rows are put into a new, whole file of that format, so that everything else is decoded as always. JPEG needs
//! none of this, because its decoder goes on; nor does WebP, of which Pillow takes no truncated file.

mod bmp;
mod gif;
mod png;
mod tiff;

use super::{Format, ImageError, check_size};

/// A whole file of what `bytes` has. Headers that are not whole are an error: there is no image.
pub(super) fn mend(bytes: &[u8], format: Format) -> Result<Vec<u8>, ImageError> {
    match format {
        Format::Png => png::mend(bytes),
        Format::Bmp => bmp::mend(bytes),
        Format::Gif => gif::mend(bytes),
        Format::Tiff => tiff::mend(bytes),
        Format::Jpeg | Format::WebP => Err(ImageError::Damaged("it is truncated".to_owned())),
    }
}

/// What rows of `row` bytes take together. More than 16-bit RGBA does is an error.
fn size_of_rows(row: usize, width: usize, height: usize) -> Result<usize, ImageError> {
    const MAX_BYTES: usize = 8;
    check_size(width, height)?;
    match row.checked_mul(height) {
        // Rows may be filled up to 4 bytes.
        Some(bytes) if bytes <= (width + 4) * height * MAX_BYTES => Ok(bytes),
        _ => Err(ImageError::Damaged(format!("rows of {row} bytes for {width} pixels"))),
    }
}

fn truncated_headers() -> ImageError {
    ImageError::Damaged("its headers are truncated".to_owned())
}

/// The little-endian number at `at`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ImageError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.map(|&field| u16::from_le_bytes(field)).ok_or_else(truncated_headers)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ImageError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.map(|&field| u32::from_le_bytes(field)).ok_or_else(truncated_headers)
}
