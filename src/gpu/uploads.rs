//! Weights on their way to the device.

use rayon::prelude::*;

use super::context::{Context, TEXEL_BYTES, Texture};
use crate::plan::TextureSize;
use crate::{Error, Result};

/// The size of a buffer: a texture's layer of weights as a rule. Drivers may copy what they are given.
const BUFFER_BYTES: usize = 16 << 20;

/// Copies texels to textures through two buffers in turn: one is filled while the device copies from the other. They are used
/// again and again, because to be given new memory for every write takes longer than to fill it.
pub struct Uploads<'a> {
    context: &'a Context,
    buffers: [wgpu::Buffer; 2],
    /// What each buffer's last copies were submitted as.
    submissions: [Option<wgpu::SubmissionIndex>; 2],
    /// The buffer that is being filled.
    current: usize,
    filled: usize,
    encoder: wgpu::CommandEncoder,
    scratch: Vec<f32>,
}

impl<'a> Uploads<'a> {
    pub fn new(context: &'a Context) -> Result<Uploads<'a>> {
        let buffers = [(); 2].map(|()| {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("vgg.uploads"),
                size: BUFFER_BYTES as u64,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        });
        buffers.iter().for_each(map);
        context.wait()?;
        let (submissions, encoder) = ([None, None], context.encoder());
        Ok(Uploads { context, buffers, submissions, current: 0, filled: 0, encoder, scratch: Vec::new() })
    }

    /// Writes a layer, whose rows have `size`'s width and number: `fill` gets each row, of zeros, and its number.
    pub fn write_layer(
        &mut self,
        texture: &mut Texture,
        layer: usize,
        size: TextureSize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        match &mut texture.memory {
            Some(memory) => {
                let pitch = memory.pitch[0] as usize * 4;
                // SAFETY: weights are read by shaders when all of them are there.
                let texels = unsafe { memory.layer(layer) };
                texels.par_chunks_mut(pitch).take(size.height).enumerate().for_each(|(index, row)| {
                    let row = &mut row[..4 * size.width];
                    row.fill(0.0);
                    fill(index, row);
                });
                Ok(())
            }
            None => self.copy_layer(&texture.texture, layer, size, fill),
        }
    }

    /// What covers its layer is one copy where it fits into a buffer: of several, wgpu would clear the layer first.
    fn copy_layer(
        &mut self,
        texture: &wgpu::Texture,
        layer: usize,
        TextureSize { width, height: rows, .. }: TextureSize,
        fill: impl Fn(usize, &mut [f32]),
    ) -> Result<()> {
        let pitch = (width * TEXEL_BYTES).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize);
        let rows_at_once = BUFFER_BYTES / pitch;
        let mut row = vec![0.0; 4 * width];
        for first in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - first);
            let offset = self.reserve(count * pitch)?;
            let buffer = &self.buffers[self.current];
            let mut bytes =
                buffer.get_mapped_range_mut(offset as u64..(offset + count * pitch) as u64).map_err(lost)?;
            for index in 0..count {
                row.fill(0.0);
                fill(first + index, &mut row);
                bytes
                    .slice(index * pitch..index * pitch + width * TEXEL_BYTES)
                    .copy_from_slice(bytemuck::cast_slice(&row));
            }
            let layout = wgpu::TexelCopyBufferLayout {
                offset: offset as u64,
                bytes_per_row: Some(pitch as u32),
                rows_per_image: Some(count as u32),
            };
            let mut destination = texture.as_image_copy();
            destination.origin = wgpu::Origin3d { x: 0, y: first as u32, z: layer as u32 };
            let size = wgpu::Extent3d { width: width as u32, height: count as u32, depth_or_array_layers: 1 };
            self.encoder.copy_buffer_to_texture(wgpu::TexelCopyBufferInfo { buffer, layout }, destination, size);
        }
        Ok(())
    }

    /// Memory for values on their way, which lasts from one kernel to the next.
    pub fn take_scratch(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.scratch)
    }

    /// Gives it back.
    pub fn return_scratch(&mut self, scratch: Vec<f32>) {
        self.scratch = scratch;
    }

    /// Hands the device what there is to do, and goes on with the other buffer when the device is done with that.
    fn submit(&mut self) -> Result<()> {
        let commands = std::mem::replace(&mut self.encoder, self.context.encoder()).finish();
        let buffer = &self.buffers[self.current];
        buffer.unmap();
        self.submissions[self.current] = Some(self.context.queue.submit([commands]));
        map(buffer);
        self.current = 1 - self.current;
        self.filled = 0;
        match self.submissions[self.current].take() {
            Some(submission) => self.context.wait_for(submission),
            None => self.context.check(),
        }
    }

    /// Waits until everything is there.
    pub fn finish(mut self) -> Result<()> {
        self.submit()?;
        self.context.wait()
    }

    /// Room in the current buffer: where it begins.
    fn reserve(&mut self, bytes: usize) -> Result<usize> {
        if self.filled + bytes > BUFFER_BYTES {
            self.submit()?;
        }
        let offset = self.filled;
        self.filled += bytes;
        Ok(offset)
    }
}

/// Asks for the buffer to be writable once the device is done with it. That it could not be is told when it is written.
fn map(buffer: &wgpu::Buffer) {
    buffer.map_async(wgpu::MapMode::Write, .., |_| {});
}

fn lost(problem: impl std::fmt::Display) -> Error {
    Error::Device(format!("cannot write the GPU's weights: {problem}"))
}
