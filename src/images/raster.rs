//! PNG, BMP, GIF, WebP and TIFF: Pillow's pixels in every kind of file tried, but for TIFF that contains JPEG, where
//! 0.5 % of the values are off by one level.
//!
//! Pillow reads kinds of TIFF that the `tiff` crate does not, and which fail here as unsupported: with a palette, gray with
//! alpha, 32-bit values, L*a*b* or YCbCr; compressed by Zstandard, LZMA or group 3 fax.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tiff::tags::Tag;

use super::{Format, ImageError, RgbImage, bmp, check_size, gif};

/// The most bytes a decoder may allocate: 16-bit RGBA of the largest image, 1.4 GB, fits.
const MAX_ALLOCATION: u64 = 3 << 29;

pub(super) fn decode(bytes: &[u8], format: Format) -> Result<RgbImage, ImageError> {
    match format {
        Format::Bmp => bmp::decode(bytes),
        Format::Gif => gif::decode(bytes),
        _ => decode_as_is(bytes, format),
    }
}

/// What the `image` crate makes of a file, as RGB.
pub(super) fn decode_as_is(bytes: &[u8], format: Format) -> Result<RgbImage, ImageError> {
    if format == Format::WebP {
        check_riff_length(bytes)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format(format));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(image_error)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize)?;
    // Pillow turns the images of this format alone.
    let orientation = match format {
        Format::Tiff => decoder.orientation().map_err(image_error)?,
        _ => Orientation::NoTransforms,
    };
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(image_error)?;
    decoded.apply_orientation(orientation);
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    Ok(RgbImage::new(width, height, to_rgb(decoded, bytes, format)?))
}

/// Pillow's `convert("RGB")`: alpha is dropped, not composited. Pillow keeps the high byte of each colour of 16 bits, but
/// the value of a 16-bit gray, up to 255.
fn to_rgb(image: DynamicImage, file: &[u8], format: Format) -> Result<Vec<u8>, ImageError> {
    let high = |value: u16| (value >> 8) as u8;
    let clipped = |value: u16| value.min(255) as u8;
    Ok(match image {
        DynamicImage::ImageLuma16(image) => image.pixels().flat_map(|pixel| [clipped(pixel.0[0]); 3]).collect(),
        DynamicImage::ImageLumaA16(image) if is_gray_png(file, format) => {
            image.pixels().flat_map(|pixel| [clipped(pixel.0[0]); 3]).collect()
        }
        DynamicImage::ImageLumaA16(image) => image.pixels().flat_map(|pixel| [high(pixel.0[0]); 3]).collect(),
        DynamicImage::ImageRgba8(image) if is_premultiplied(file, format) => {
            image.pixels().flat_map(|pixel| divide_by_alpha(pixel.0)).collect()
        }
        DynamicImage::ImageRgba16(image) if is_premultiplied(file, format) => {
            image.pixels().flat_map(|pixel| divide_by_alpha(pixel.0.map(high))).collect()
        }
        DynamicImage::ImageRgb16(image) => image.pixels().flat_map(|pixel| pixel.0.map(high)).collect(),
        DynamicImage::ImageRgba16(image) => {
            image.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]].map(high)).collect()
        }
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageRgb8(_)
        | DynamicImage::ImageRgba8(_) => image.into_rgb8().into_raw(),
        other => return Err(ImageError::Unsupported(format!("pixels of type {:?}", other.color()))),
    })
}

/// Whether it is a PNG of grays. Where it names a transparent one, the `image` crate gives it an alpha channel.
fn is_gray_png(file: &[u8], format: Format) -> bool {
    /// Where a PNG's header says what kind of colours it has, of which grays are 0.
    const COLOR_TYPE: usize = 25;
    format == Format::Png && file.get(COLOR_TYPE) == Some(&0)
}

/// Whether it is a TIFF whose colours are multiplied by their alpha.
fn is_premultiplied(file: &[u8], format: Format) -> bool {
    const ASSOCIATED_ALPHA: u16 = 1;
    let extra_samples = || tiff::decoder::Decoder::new(Cursor::new(file))?.find_tag_unsigned_vec(Tag::ExtraSamples);
    format == Format::Tiff && matches!(extra_samples(), Ok(Some(samples)) if samples.first() == Some(&ASSOCIATED_ALPHA))
}

/// The colour that was multiplied by its alpha, as Pillow's `unpackRGBa` has it.
fn divide_by_alpha([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    [red, green, blue].map(|color| match alpha {
        0 => 0,
        alpha => (u32::from(color) * 255 / u32::from(alpha)).min(255) as u8,
    })
}

/// A WebP file shorter than its header says was truncated; the decoder notices only where pixels are missing.
fn check_riff_length(bytes: &[u8]) -> Result<(), ImageError> {
    let stated = bytes.get(4..8).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes);
    let found = bytes.len() as u64 - 8;
    if found < u64::from(stated) {
        return Err(ImageError::Damaged(format!(
            "it is truncated: its header announces {stated} bytes, {found} follow"
        )));
    }
    Ok(())
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
