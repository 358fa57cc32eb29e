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
    let (background, is_interlaced) = (frame.transparent.unwrap_or(0), frame.interlaced);
    let (width, height) = (canvas_width.max(left + frame_width), canvas_height.max(top + frame_height));
    check_size(width, height)?;
    check_size(frame_width, frame_height)?;
    // Indices of the palette, all at once: asked for row by row, the decoder loses those whose code came with an earlier row.
    let mut frame = vec![0; frame_width * frame_height];
    if !decoder.fill_buffer(&mut frame).map_err(damaged)? {
        return Err(ImageError::Damaged("it is truncated".to_owned()));
    }
    let mut canvas = vec![background; width * height];
    for (row, indices) in rows(frame_height, is_interlaced).zip(frame.chunks_exact(frame_width)) {
        canvas[(top + row) * width + left..][..frame_width].copy_from_slice(indices);
    }
    let (palette, _) = decoder.palette().map_err(damaged)?.as_chunks::<3>();
    // Beyond its end Pillow's palette is black.
    let color = |index: u8| palette.get(usize::from(index)).copied().unwrap_or_default();
    Ok(RgbImage::new(width, height, canvas.into_iter().flat_map(color).collect()))
}

/// The rows of a frame in the order in which they are stored.
fn rows(height: usize, is_interlaced: bool) -> impl Iterator<Item = usize> {
    let passes: &[(usize, usize)] = if is_interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    passes.iter().flat_map(move |&(first, step)| (first..height).step_by(step))
}
