//! BMP: where Pillow's pixels are not those of the `image` crate.

use super::mend::{u16_at, u32_at};
use super::{Format, ImageError, RgbImage, raster};

/// Of the header before all others.
pub(super) const FILE_HEADER_BYTES: usize = 14;

/// The header of OS/2, whose sizes have 16 bits. The `image` crate reads neither pixels of 16 bits nor runs behind it.
pub(super) const CORE_HEADER_BYTES: u32 = 12;

/// Compressions: runs of pixels of 8 and of 4 bits, and none with masks that say which bits are which colour's.
const RUNS_OF_8_BITS: u32 = 1;
const RUNS_OF_4_BITS: u32 = 2;
const MASKS: u32 = 3;

pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    if u32_at(bytes, FILE_HEADER_BYTES)? == CORE_HEADER_BYTES {
        return raster::decode_as_is(bytes, Format::Bmp);
    }
    match (u16_at(bytes, 28)?, u32_at(bytes, 30)?) {
        (16, compression) => decode_16_bits(bytes, compression == MASKS),
        (_, RUNS_OF_8_BITS) => decode_runs(bytes, 256),
        (_, RUNS_OF_4_BITS) => decode_runs(bytes, 16),
        _ => raster::decode_as_is(bytes, Format::Bmp),
    }
}

/// Colours of 5 or 6 bits, which Pillow scales to 8 rounding down and the `image` crate to the nearest. Of masks Pillow knows
/// two arrangements.
fn decode_16_bits(bytes: &[u8], has_masks: bool) -> Result<RgbImage, ImageError> {
    let masks =
        if has_masks { [u32_at(bytes, 54)?, u32_at(bytes, 58)?, u32_at(bytes, 62)?] } else { [0x7C00, 0x3E0, 0x1F] };
    let maxima = match masks {
        [0x7C00, 0x3E0, 0x1F] => [31, 31, 31],
        [0xF800, 0x7E0, 0x1F] => [31, 63, 31],
        _ => return Err(ImageError::Unsupported(format!("a BMP of 16 bits a pixel with the masks {masks:04X?}"))),
    };
    let mut image = raster::decode_as_is(bytes, Format::Bmp)?;
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        for (value, max) in pixel.iter_mut().zip(maxima) {
            let stored = (u32::from(*value) * max + 127) / 255;
            *value = (stored * 255 / max) as u8;
        }
    }
    Ok(image)
}

/// Pixels that no run covers are black in the `image` crate, and of the palette's first colour in Pillow. With a ramp of grays
/// for a palette colours come as their indices, and black as the first.
fn decode_runs(bytes: &[u8], max_colors: usize) -> Result<RgbImage, ImageError> {
    let palette = FILE_HEADER_BYTES + u32_at(bytes, FILE_HEADER_BYTES)? as usize;
    let colors = match u32_at(bytes, 46)? as usize {
        0 => max_colors,
        colors => colors.min(max_colors),
    };
    let mut ramp = bytes.to_vec();
    for (index, color) in ramp.iter_mut().skip(palette).take(4 * colors).enumerate() {
        *color = (index / 4) as u8;
    }
    let mut image = raster::decode_as_is(&ramp, Format::Bmp)?;
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        let color = palette + 4 * usize::from(pixel[0]);
        *pixel = [bytes[color + 2], bytes[color + 1], bytes[color]];
    }
    Ok(image)
}
