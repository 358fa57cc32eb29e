//! JPEG, decoded by mozjpeg: libjpeg-turbo's decoder, which is Pillow's too, in the arithmetic both default to (accurate
//! integer inverse DCT, smooth chroma upsampling).
//!
//! Against Pillow 13.0 (`scripts/compare_with_pillow.py` repeats this; a photo is 500 x 375 pixels and 59 KB):
//!
//! | | mozjpeg 0.10, with nasm | mozjpeg 0.10, plain C | libjpeg-turbo-rs 0.9, strict | the same, lenient |
//! |---|---|---|---|---|
//! | intact files with identical pixels | 224 of 224 | 224 of 224 | 224 of 224 | 224 of 224 |
//! | of 3,000 damaged files, accepted though Pillow refuses | 0 | 0 | 45 | 95 |
//! | refused though Pillow accepts | 0 | 0 | 669 | 130 |
//! | accepted by both, with identical pixels | all 1,799 | 1,582 of 1,799 | all 1,130 | 1,647 of 1,669 |
//! | of 3,000 truncated files, accepted by both where lenient, with identical pixels | all 3,000 | 2,836 | | |
//! | time to decode a photo, Pillow's being 1 | 0.9 | 1.9 | 1.1 | 1.1 |
//!
//! The build takes the assembly where it finds nasm and needs nothing but a C compiler otherwise (on ARM it takes the C
//! compiler's intrinsics). libjpeg-turbo-rs is all Rust, but it is young, has 311 `unsafe` blocks and functions and gives
//! no guarantee of memory safety; mozjpeg shares its decoder with browsers.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::panic::{self, AssertUnwindSafe};

use mozjpeg::{ColorSpace, Decompress};

use super::{ImageError, Rest, RgbImage, check_size, panic_message, raster::cmyk_to_rgb};

/// The most scans of a progressive file. Encoders write about ten; each costs a pass over the whole image.
const MAX_SCANS: usize = 100;

/// Decodes what Pillow decodes. Both fill in what a damaged bit stream leaves open, up to damage that libjpeg cannot mend. Where
/// the rest is to be made up, an end-of-image marker is appended as Pillow does, libjpeg makes up what it needs, and rows that it
/// does not get to stay as they are in an empty image.
pub(super) fn decode(bytes: &[u8], rest: Rest) -> Result<RgbImage, ImageError> {
    check_markers(bytes)?;
    let ran_out = Cell::new(false);
    // libjpeg leaves by unwinding where it meets an error.
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decompress(bytes, rest, &ran_out)));
    match decoded {
        Err(_) | Ok(Err(ImageError::Io(_))) if ran_out.get() => Err(ImageError::Damaged("it is truncated".to_owned())),
        Ok(image) => image,
        Err(payload) => Err(ImageError::Damaged(panic_message(&*payload).to_owned())),
    }
}

fn decompress(bytes: &[u8], rest: Rest, ran_out: &Cell<bool>) -> Result<RgbImage, ImageError> {
    let end: &[u8] = match rest {
        Rest::Refused => &[],
        Rest::MadeUp => &[0xFF, 0xD9],
    };
    let decoder = Decompress::new_reader(Source { rest: bytes, end, ran_out })?;
    let (width, height) = decoder.size();
    check_size(width, height)?;
    let (color, channels, blank) = match decoder.components().len() {
        1 | 3 => (ColorSpace::JCS_RGB, 3, 0),
        // No ink, inverted.
        4 => (ColorSpace::JCS_CMYK, 4, 255),
        count => return Err(ImageError::Unsupported(format!("a JPEG of {count} channels"))),
    };
    let mut pixels = vec![blank; width * height * channels];
    match panic::catch_unwind(AssertUnwindSafe(|| fill(decoder, color, ran_out, &mut pixels))) {
        Ok(Ok(())) => {}
        _ if rest == Rest::MadeUp => {}
        Ok(Err(error)) => return Err(error.into()),
        Err(payload) => panic::resume_unwind(payload),
    }
    let pixels = if color == ColorSpace::JCS_CMYK { inverted_cmyk_to_rgb(&pixels) } else { pixels };
    Ok(RgbImage::new(width, height, pixels))
}

fn fill(decoder: Decompress<Source>, color: ColorSpace, ran_out: &Cell<bool>, pixels: &mut [u8]) -> io::Result<()> {
    let mut rows = decoder.to_colorspace(color)?;
    rows.read_scanlines_into(pixels)?;
    // What follows the last row must make sense as far as it goes, but its end may be missing.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| rows.finish()))
        && !ran_out.get()
    {
        panic::resume_unwind(payload);
    }
    Ok(())
}

/// Pillow takes every four-channel JPEG for Adobe's, which stores 255 minus each ink.
fn inverted_cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    pixels.chunks_exact(4).flat_map(|inverted| cmyk_to_rgb([0, 1, 2, 3].map(|ink| 255 - inverted[ink]))).collect()
}

/// The bytes of a file, then those of `end`. What follows is an error, where libjpeg's own source would make up the rest
/// of the image.
struct Source<'a> {
    rest: &'a [u8],
    end: &'a [u8],
    ran_out: &'a Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buffer)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.rest = std::mem::take(&mut self.end);
        }
        self.ran_out.set(self.rest.is_empty());
        // Any kind but `UnexpectedEof`, which makes the decoder go on with an invented end-of-image marker.
        if self.rest.is_empty() { Err(io::Error::other("the file is truncated")) } else { Ok(self.rest) }
    }

    fn consume(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }
}

/// Refuses, before any pixel is decoded, what Pillow does not decode either, and more than [`MAX_SCANS`].
fn check_markers(bytes: &[u8]) -> Result<(), ImageError> {
    let mut scans = 0;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        let length = after.first_chunk().map_or(0, |&length| usize::from(u16::from_be_bytes(length)));
        match (marker, after.get(2)) {
            (0xC0..=0xC2, Some(8)) => {}
            (0xC0..=0xC2, Some(bits)) => {
                return Err(ImageError::Unsupported(format!("a JPEG of {bits} bits a channel")));
            }
            (0xC3, _) => return Err(ImageError::Unsupported("a lossless JPEG".to_owned())),
            (0xC9..=0xCB, _) => return Err(ImageError::Unsupported("an arithmetic-coded JPEG".to_owned())),
            (0xC5..=0xC7 | 0xCD..=0xCF, _) => return Err(ImageError::Unsupported("a hierarchical JPEG".to_owned())),
            // libjpeg would make up the end of this header too.
            (0xDA, _) if scans == 0 && after.len() < length => {
                return Err(ImageError::Damaged("it is truncated".to_owned()));
            }
            (0xDA, _) => scans += 1,
            (0xD9, _) => break,
            _ => {}
        }
        if scans > MAX_SCANS {
            return Err(ImageError::TooLarge(format!("more than {MAX_SCANS} scans")));
        }
        rest = after.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// The next marker that a length follows, or the end of the image, and what comes after it. Entropy-coded data, where
/// 0xFF is followed by 0 or is a restart marker, is passed over.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = memchr::memchr(0xFF, bytes)?;
        bytes = &bytes[at + 1..];
        match bytes {
            [0 | 1 | 0xD0..=0xD8 | 0xFF, ..] => {}
            [marker, after @ ..] => return Some((*marker, after)),
            [] => return None,
        }
    }
}
