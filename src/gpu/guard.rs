//! Guard zones around activation textures, for tests.

use super::context::Context;
use super::texture::Texture;
use crate::plan::{TEXEL_BYTES, TextureSize, row_bytes};
use crate::{Error, Result};

/// The size of a texture with a guard around what is planned.
pub fn around(planned: TextureSize, guard: usize) -> TextureSize {
    let TextureSize { width, height, layers } = planned;
    TextureSize { width: width + guard, height: height + guard, layers: layers + guard }
}

/// Fills a texture with NaN.
pub fn fill(context: &Context, texture: &Texture) {
    let TextureSize { width, height, layers } = texture.size;
    let texels = vec![f32::NAN; width * height * 4];
    (0..layers).for_each(|layer| texture.write_layer(context, layer, width, &texels));
}

/// Whether every texel of `slot` outside the planned size is still NaN.
pub fn holds(context: &Context, slot: &Texture, planned: TextureSize) -> Result<bool> {
    let TextureSize { width, height, layers } = slot.size;
    let row_bytes = row_bytes(width);
    let buffer = context.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("vgg.guard"),
        size: (row_bytes * height * layers) as u64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = context.encoder();
    slot.copy_to(&mut encoder, &buffer, slot.size);
    context.queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |_| {});
    context.wait()?;
    let mapped = buffer.get_mapped_range(..).map_err(|problem| Error::Device(problem.to_string()))?;
    let untouched = |texel: &[u8]| {
        texel.chunks_exact(4).all(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of 4")).is_nan())
    };
    Ok(mapped.chunks_exact(row_bytes).enumerate().all(|(row, bytes)| {
        let planned_row = row / height < planned.layers && row % height < planned.height;
        let first_guard = if planned_row { planned.width } else { 0 };
        bytes[first_guard * TEXEL_BYTES..width * TEXEL_BYTES].chunks_exact(TEXEL_BYTES).all(untouched)
    }))
}
