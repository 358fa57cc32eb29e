//! JPEG, to the bit as Pillow decodes it.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::{ImageError, MAX_PIXELS, RgbImage, check_size};

/// The most scans of a progressive file. Encoders write about ten; each costs a pass over the whole image.
const MAX_SCANS: usize = 100;

pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    let limits = DecodeLimits { max_pixels: MAX_PIXELS, max_scans: MAX_SCANS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(image_error)?;
    let (width, height) = (decoder.header().width(), decoder.header().height());
    check_size(width, height)?;
    let cmyk = match decoder.header().components.len() {
        1 | 3 => false,
        4 => true,
        channels => return Err(ImageError::Unsupported(format!("a JPEG of {channels} channels"))),
    };
    decoder.set_output_format(if cmyk { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    decoder.set_block_smoothing(true);
    let data = decoder.decode_image().map_err(image_error)?.data;
    Ok(RgbImage::new(width, height, if cmyk { inverted_cmyk_to_rgb(&data) } else { data }))
}

fn image_error(error: JpegError) -> ImageError {
    match error {
        JpegError::Unsupported(what) => ImageError::Unsupported(what),
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => ImageError::TooLarge(error.to_string()),
        _ => ImageError::Damaged(error.to_string()),
    }
}

/// Pillow takes every four-channel JPEG for Adobe's, which stores 255 minus each ink.
fn inverted_cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let inks = pixels.chunks_exact(4);
    inks.flat_map(|inverted| super::raster::cmyk_to_rgb([0, 1, 2, 3].map(|ink| 255 - inverted[ink]))).collect()
}
