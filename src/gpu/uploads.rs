//! Weights on their way to the device.

use std::ops::Range;

use rayon::prelude::*;

use super::context::Context;
use super::texture::Texture;
use crate::plan::{TextureSize, UPLOAD_BYTES};
use crate::{Error, Result, pages};

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
    /// What is about to be copied to the current buffer.
    scratch: Vec<f32>,
}

impl<'a> Uploads<'a> {
    pub fn new(context: &'a Context) -> Result<Uploads<'a>> {
        let buffers = [(); 2].map(|()| {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("vgg.uploads"),
                size: UPLOAD_BYTES as u64,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        });
        buffers.iter().for_each(map);
        context.wait()?;
        let (submissions, encoder) = ([None, None], context.encoder());
        Ok(Uploads { context, buffers, submissions, current: 0, filled: 0, encoder, scratch: Vec::new() })
    }

    /// Writes some layers, whose rows have `size`'s width and number: `fill` gets each row's number and the row itself, of
    /// zeros, in each of the layers.
    pub fn write(
        &mut self,
        texture: &mut Texture,
        layers: Range<usize>,
        size: TextureSize,
        fill: impl Fn(usize, &mut [&mut [f32]]) + Sync,
    ) -> Result<()> {
        match texture.memory() {
            Some(memory) => {
                let [pitch, layer_pitch] = memory.pitch.map(|texels| texels as usize * 4);
                // SAFETY: weights are read by shaders when all of them are there.
                let texels = unsafe { memory.layers(layers) };
                fill_rows(texels, [pitch, layer_pitch], 4 * size.width, 0..size.height, fill);
                Ok(())
            }
            None => self.copy(texture, layers, size, fill),
        }
    }

    /// What covers its layers is one copy where it fits into a buffer: of several, wgpu would clear the layers first.
    fn copy(
        &mut self,
        texture: &Texture,
        layers: Range<usize>,
        TextureSize { width, height: rows, .. }: TextureSize,
        fill: impl Fn(usize, &mut [&mut [f32]]) + Sync,
    ) -> Result<()> {
        let pitch = texture.row_bytes(width);
        let rows_at_once = UPLOAD_BYTES / (pitch * layers.len());
        for first in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - first);
            let layer_pitch = count * pitch;
            let size = layer_pitch * layers.len();
            let offset = self.reserve(size)?;
            self.scratch.resize(size / size_of::<f32>(), 0.0);
            let pitches = [pitch, layer_pitch].map(|bytes| bytes / size_of::<f32>());
            fill_rows(&mut self.scratch, pitches, 4 * width, first..first + count, &fill);
            let buffer = &self.buffers[self.current];
            let mut bytes = buffer.get_mapped_range_mut(offset as u64..(offset + size) as u64).map_err(lost)?;
            bytes.slice(..).copy_from_slice(bytemuck::cast_slice(&self.scratch));
            drop(bytes);
            let size = TextureSize { width, height: count, layers: layers.len() };
            texture.copy_from(&mut self.encoder, buffer, offset, [first, layers.start], size);
        }
        Ok(())
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
        if self.filled + bytes > UPLOAD_BYTES {
            self.submit()?;
        }
        let offset = self.filled;
        self.filled += bytes;
        Ok(offset)
    }
}

/// Fills `rows`, of `width` values, with what begins in `texels` with the first of them. Rows and layers are `pitch` and
/// `layer_pitch` values apart.
fn fill_rows(
    texels: &mut [f32],
    [pitch, layer_pitch]: [usize; 2],
    width: usize,
    rows: Range<usize>,
    fill: impl Fn(usize, &mut [&mut [f32]]) + Sync,
) {
    let mut places: Vec<Vec<&mut [f32]>> = rows.clone().map(|_| Vec::new()).collect();
    for layer in texels.chunks_mut(layer_pitch) {
        for (places, row) in places.iter_mut().zip(layer.chunks_mut(pitch)) {
            places.push(&mut row[..width]);
        }
    }
    places.par_iter_mut().zip(rows).for_each(|(places, row)| {
        for place in places.iter_mut() {
            pages::populate(place);
            place.fill(0.0);
        }
        fill(row, places);
    });
}

/// Asks for the buffer to be writable once the device is done with it. That it could not be is told when it is written.
fn map(buffer: &wgpu::Buffer) {
    buffer.map_async(wgpu::MapMode::Write, .., |_| {});
}

fn lost(problem: impl std::fmt::Display) -> Error {
    Error::Device(format!("cannot write the GPU's weights: {problem}"))
}
