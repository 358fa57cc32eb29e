//! The image formats that are decoded, told apart by their first bytes.

/// A format with a decoder here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
    Bmp,
    Gif,
    WebP,
    Tiff,
}

impl Format {
    /// The formats, for messages.
    pub const LIST: &str = "JPEG, PNG, BMP, GIF, WebP or TIFF";

    /// How many first bytes [`Format::of_content`] looks at.
    pub const SIGNATURE_BYTES: usize = 18;

    /// The format whose signature `bytes` begins with. The name of a file says nothing here, as in Pillow.
    pub fn of_content(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            // The size of the second header is less than 256. A text that begins with "BM" has no zeros there.
            [b'B', b'M', header @ ..] if header.get(13..16) == Some(&[0; 3]) => Some(Format::Bmp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Format::Tiff),
            _ => None,
        }
    }
}
