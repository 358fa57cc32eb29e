//! GIF: the first image's pixels, which LZW codes give one after the other, up to the last whole block of data. The last row need
//! not be whole.

use weezl::BitOrder;
use weezl::decode::Decoder;
use weezl::encode::Encoder;

use super::{truncated_headers, u16_at};
use crate::images::{ImageError, check_size};

const EXTENSION: u8 = 0x21;
const GRAPHIC_CONTROL: u8 = 0xF9;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;

/// The most bytes of a block of data.
const BLOCK_BYTES: usize = 255;

pub fn mend(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    let byte = |at: usize| bytes.get(at).copied().ok_or_else(truncated_headers);
    let mut at = 13 + palette_bytes(byte(10)?);
    // What is behind the rows that there are: transparent where a colour is.
    let mut blank = 0;
    while byte(at)? == EXTENSION {
        if byte(at + 1)? == GRAPHIC_CONTROL && byte(at + 3)? & 1 == 1 {
            blank = byte(at + 6)?;
        }
        at += 2;
        while byte(at)? > 0 {
            at += 1 + usize::from(byte(at)?);
        }
        at += 1;
    }
    if byte(at)? != IMAGE {
        return Err(ImageError::Damaged("it has no image where one should be".to_owned()));
    }
    let [width, height] = [u16_at(bytes, at + 5)?, u16_at(bytes, at + 7)?].map(usize::from);
    check_size(width, height)?;
    at += 10 + palette_bytes(byte(at + 9)?);
    let code_bits = byte(at)?;
    if !(1..=8).contains(&code_bits) {
        return Err(ImageError::Damaged(format!("codes of {code_bits} bits")));
    }
    let mut colors = decode(&blocks(&bytes[at + 1..]), code_bits, width * height);
    colors.resize(width * height, blank);
    let codes = Encoder::new(BitOrder::Lsb, code_bits).encode(&colors);
    let codes = codes.map_err(|error| ImageError::Damaged(error.to_string()))?;
    let mut mended = bytes[..=at].to_vec();
    for block in codes.chunks(BLOCK_BYTES) {
        mended.push(block.len() as u8);
        mended.extend_from_slice(block);
    }
    mended.extend([0, TRAILER]);
    Ok(mended)
}

/// As many of `count` colours as LZW codes give before they end or turn out to be damaged.
fn decode(codes: &[u8], code_bits: u8, count: usize) -> Vec<u8> {
    /// The most colours that one byte of codes can become: a code has at least 9 bits where it stands for more than one.
    const MAX_RATIO: usize = 4096;
    let mut colors = vec![0; count.min(codes.len().saturating_mul(MAX_RATIO))];
    let mut decoder = Decoder::new(BitOrder::Lsb, code_bits);
    let (mut read, mut written) = (0, 0);
    loop {
        let step = decoder.decode_bytes(&codes[read..], &mut colors[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        if step.status.is_err() || (step.consumed_in, step.consumed_out) == (0, 0) {
            colors.truncate(written);
            return colors;
        }
    }
}

/// Of the palette that a byte of flags announces.
fn palette_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What blocks of data hold, up to the empty one or one that is cut.
fn blocks(mut bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some((&length @ 1.., rest)) = bytes.split_first() {
        let Some((block, rest)) = rest.split_at_checked(length.into()) else { break };
        data.extend_from_slice(block);
        bytes = rest;
    }
    data
}
