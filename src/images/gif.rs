//! GIF: the first frame on a canvas that Pillow fills with the transparent colour, or else the palette's first, and enlarges
//! where the frame does not fit. The `image` crate fills it with black and cuts the frame.

use gif::{DecodeOptions, DecodingError};

use super::{ImageError, RgbImage, check_size};

pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    let damaged = |error: DecodingError| ImageError::Damaged(error.to_string());
    let mut decoder = DecodeOptions::new().read_info(bytes).map_err(damaged)?;
    let [canvas_width, canvas_height] = [decoder.width(), decoder.height()].map(usize::from);
    let frame = decoder.next_frame_info().map_err(damaged)?;
    let frame = frame.ok_or_else(|| ImageError::Damaged("it has no image".to_owned()))?;
    let [left, top, frame_width, frame_height] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let background = frame.transparent.unwrap_or(0);
    let (width, height) = (canvas_width.max(left + frame_width), canvas_height.max(top + frame_height));
    check_size(width, height)?;
    check_size(frame_width, frame_height)?;
    // Without options, the decoder gives indices of the palette.
    let mut frame = vec![0; frame_width * frame_height];
    decoder.read_into_buffer(&mut frame).map_err(damaged)?;
    let mut canvas = vec![background; width * height];
    for (row, frame_row) in canvas.chunks_exact_mut(width).skip(top).zip(frame.chunks_exact(frame_width)) {
        row[left..left + frame_width].copy_from_slice(frame_row);
    }
    let (palette, _) = decoder.palette().map_err(damaged)?.as_chunks::<3>();
    // Beyond its end Pillow's palette is black.
    let color = |index: u8| palette.get(usize::from(index)).copied().unwrap_or_default();
    Ok(RgbImage::new(width, height, canvas.into_iter().flat_map(color).collect()))
}
