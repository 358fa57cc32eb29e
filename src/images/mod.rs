//! Images as the Python script this replaces would have fed them: Pillow's pixels, its conversion to RGB and its
//! resizing, to the bit.

mod bmp;
pub mod dataset;
pub mod decoder;
pub mod format;
mod gif;
mod jpeg;
mod mend;
mod raster;
pub mod resize;
pub mod stamp;

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

pub use dataset::{Dataset, ImageFile, KeyKind, scan};
pub use decoder::Decoding;
pub use format::Format;
pub use resize::{Filter, resize};
pub use stamp::Stamp;

use crate::error::panic_message;

/// The most pixels an image may have: where Pillow raises `DecompressionBombError`, twice its `MAX_IMAGE_PIXELS`.
pub const MAX_PIXELS: u64 = 178_956_970;

/// The largest file that is read, in bytes. More than the uncompressed pixels of [`MAX_PIXELS`] at 3 bytes each.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// What becomes of a file whose end is missing or whose middle is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// It is an error, as in Pillow.
    Refused,
    /// It is an image up to there, as in Pillow where `ImageFile.LOAD_TRUNCATED_IMAGES` is set.
    MadeUp,
}

/// 8-bit RGB pixels, row by row from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// An image of these pixels; panics where their number does not fit the size.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> RgbImage {
        assert_eq!(pixels.len(), width * height * 3, "pixels of a {width} x {height} image");
        RgbImage { width, height, pixels }
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({} x {})", self.width, self.height)
    }
}

/// Why an image has no pixels. It costs that image, never the run.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum ImageError {
    /// The file cannot be read, or is no regular file.
    #[error("cannot be read: {0}")]
    #[serde(with = "as_text")]
    Io(#[from] io::Error),
    /// The content has no known image format's signature.
    #[error("not an image: {0}")]
    NotAnImage(String),
    /// A kind of image that is not decoded here, such as a 12-bit or lossless JPEG.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The file is truncated or its content contradicts itself.
    #[error("damaged: {0}")]
    Damaged(String),
    /// More bytes than [`MAX_FILE_BYTES`] or than there is memory for, or more pixels than [`MAX_PIXELS`].
    #[error("too large: {0}")]
    TooLarge(String),
    /// The process that decoded it ended without an answer: a signal, or more than [`decoder::MAX_SECONDS`].
    #[error("its decoder was ended: {0}")]
    Crashed(String),
}

/// System errors on their way from one process to another.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(error: &std::io::Error, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(error)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<std::io::Error, D::Error> {
        String::deserialize(deserializer).map(std::io::Error::other)
    }
}

/// Reads and decodes one file.
pub fn load(path: &Path) -> Result<RgbImage, ImageError> {
    decode(&read(path)?)
}

/// Reads and decodes one file as [`decode_lenient`] does.
pub fn load_lenient(path: &Path) -> Result<RgbImage, ImageError> {
    decode_lenient(&read(path)?)
}

/// Decodes an encoded image, whatever its format, and converts it to RGB as Pillow's `convert("RGB")` does. An EXIF
/// orientation is ignored, as Pillow and Keras ignore it; a TIFF is turned as it says, as Pillow turns it. Of an animation the
/// first frame counts.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    decode_with(bytes, Rest::Refused)
}

/// The same, but an image that is truncated or damaged is one as far as it goes, with the pixels that Pillow gives where
/// `ImageFile.LOAD_TRUNCATED_IMAGES` is set. Its headers must be whole.
pub fn decode_lenient(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    decode_with(bytes, Rest::MadeUp)
}

fn decode_with(bytes: &[u8], rest: Rest) -> Result<RgbImage, ImageError> {
    let format = Format::of_content(bytes).ok_or_else(|| not_an_image(bytes))?;
    // A decoder that panics on a damaged file must cost that file only. The decoders keep no state between calls.
    panic::catch_unwind(AssertUnwindSafe(|| match format {
        Format::Jpeg => jpeg::decode(bytes, rest),
        // Whole ones must not suffer from the mending.
        _ if rest == Rest::MadeUp => raster::decode(bytes, format).or_else(|error| match error {
            ImageError::Damaged(_) => raster::decode(&mend::mend(bytes, format)?, format),
            error => Err(error),
        }),
        _ => raster::decode(bytes, format),
    }))
    .unwrap_or_else(|payload| Err(ImageError::Damaged(format!("the decoder gave up: {}", panic_message(&*payload)))))
}

/// An error where `width` x `height` is nothing, or more than [`MAX_PIXELS`].
fn check_size(width: usize, height: usize) -> Result<(), ImageError> {
    match width as u64 * height as u64 {
        0 => Err(ImageError::Damaged(format!("an image of {width} x {height} pixels"))),
        1..=MAX_PIXELS => Ok(()),
        _ => Err(ImageError::TooLarge(format!("{width} x {height} pixels; the limit is {MAX_PIXELS} pixels"))),
    }
}

/// The content of a file that begins as an image does, of at most [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    // Asked before opening, because opening a named pipe waits for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file").into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(ImageError::TooLarge(format!("{} bytes; the limit is {MAX_FILE_BYTES} bytes", metadata.len())));
    }
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    // What is no image by its first bytes is read no further.
    file.by_ref().take(Format::SIGNATURE_BYTES as u64).read_to_end(&mut bytes)?;
    if Format::of_content(&bytes).is_none() {
        return Err(not_an_image(&bytes));
    }
    bytes
        .try_reserve_exact(metadata.len() as usize)
        .map_err(|_| ImageError::TooLarge(format!("no memory for its {} bytes", metadata.len())))?;
    // A file that is still growing is read to the limit, no further.
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_an_image(bytes: &[u8]) -> ImageError {
    if bytes.is_empty() {
        return ImageError::Damaged("the file is empty".to_owned());
    }
    let start = bytes[..bytes.len().min(Format::SIGNATURE_BYTES)].escape_ascii();
    ImageError::NotAnImage(format!("it starts with \"{start}\", as no {} file does", Format::LIST))
}
