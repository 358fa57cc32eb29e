//! PNG, BMP, GIF, WebP and TIFF.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Format, ImageError, RgbImage, check_size};

/// The most bytes a decoder may allocate: 16-bit RGBA of the largest image, 1.4 GB, fits.
const MAX_ALLOCATION: u64 = 3 << 29;

pub(super) fn decode(bytes: &[u8], format: Format) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format(format));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(image_error)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    check_size(width, height)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(image_error)?;
    Ok(RgbImage::new(width, height, decoded.into_rgb8().into_raw()))
}

/// Pillow's `cmyk2rgb`: `(255 - ink) (255 - black) / 255`, rounded.
pub(super) fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = 255 - u32::from(black);
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(ink) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}

fn image_format(format: Format) -> ImageFormat {
    match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Bmp => ImageFormat::Bmp,
        Format::Gif => ImageFormat::Gif,
        Format::WebP => ImageFormat::WebP,
        Format::Tiff => ImageFormat::Tiff,
    }
}

fn image_error(error: image::ImageError) -> ImageError {
    match error {
        image::ImageError::Unsupported(error) => ImageError::Unsupported(error.to_string()),
        image::ImageError::Limits(error) => ImageError::TooLarge(error.to_string()),
        error => ImageError::Damaged(error.to_string()),
    }
}
