//! Results on their way back.

use crate::gpu::context::Context;
use crate::gpu::texture::Texture;
use crate::plan::{Layout, TEXEL_BYTES, row_bytes};
use crate::{Error, Result, Tensor};

/// Bytes of a mark.
const MARK_BYTES: u64 = 4;

/// A buffer that samples are copied to, and behind them the marks of all that was submitted for the batch: its number, which each
/// submission leaves as the last that it does. On Metal wgpu takes what the driver gave up for done, and what was there before
/// would pass for results.
pub struct Readback {
    layout: Layout,
    /// What is submitted before the copy, which has the last mark.
    parts: usize,
    buffer: wgpu::Buffer,
    /// The batch's number, on the device.
    number: wgpu::Buffer,
    marks: wgpu::Buffer,
    batches: u32,
}

impl Readback {
    /// For up to `n` samples of a layout, made by so many parts that are submitted before they are copied.
    pub fn new(context: &Context, layout: Layout, n: usize, parts: usize) -> Readback {
        let buffer = |size, usage| {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("vgg.readback"),
                size,
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let marks = MARK_BYTES * (parts as u64 + 1);
        Readback {
            layout,
            parts,
            buffer: buffer(bytes(layout, n) + marks, wgpu::BufferUsages::MAP_READ),
            number: buffer(MARK_BYTES, wgpu::BufferUsages::COPY_SRC),
            marks: buffer(marks, wgpu::BufferUsages::COPY_SRC),
            batches: 0,
        }
    }

    /// Begins a batch, before anything of it is submitted.
    pub fn begin(&mut self, context: &Context) {
        self.batches = self.batches.wrapping_add(1);
        context.queue.write_buffer(&self.number, 0, &self.batches.to_le_bytes());
    }

    /// Ends a part, or the copy, in `encoder`.
    pub fn mark(&self, encoder: &mut wgpu::CommandEncoder, part: usize) {
        encoder.copy_buffer_to_buffer(&self.number, 0, &self.marks, MARK_BYTES * part as u64, MARK_BYTES);
    }

    /// Submits what `encoder` has, and the copy of `n` samples from `slot`.
    pub fn submit(
        &self,
        context: &Context,
        mut encoder: wgpu::CommandEncoder,
        slot: &Texture,
        n: usize,
    ) -> wgpu::SubmissionIndex {
        slot.copy_to(&mut encoder, &self.buffer, self.layout.texture(n));
        self.mark(&mut encoder, self.parts);
        encoder.copy_buffer_to_buffer(&self.marks, 0, &self.buffer, bytes(self.layout, n), None);
        let submission = context.queue.submit([encoder.finish()]);
        // That it could not be mapped is told when it is read.
        self.buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        submission
    }

    /// The `n` samples that were submitted, once the device is done.
    pub fn read(&self, n: usize) -> Result<Tensor> {
        let lost = |problem: &dyn std::fmt::Display| Error::Device(format!("cannot read the GPU's results: {problem}"));
        let end = bytes(self.layout, n);
        let mapped = self.buffer.get_mapped_range(..end + self.marks.size()).map_err(|problem| lost(&problem))?;
        let (rows, marks) = mapped.split_at(end as usize);
        let is_done = marks.chunks_exact(MARK_BYTES as usize).all(|mark| mark == self.batches.to_le_bytes());
        let rows = rows.chunks_exact(row_bytes(self.layout.width));
        let texels: Vec<f32> = rows
            .flat_map(|row| row[..self.layout.width * TEXEL_BYTES].chunks_exact(4))
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of 4")))
            .collect();
        drop(mapped);
        self.buffer.unmap();
        if !is_done {
            return Err(lost(&"it gave up in the middle of a batch"));
        }
        Ok(Tensor::new(n, self.layout.shape, self.layout.unpack(n, &texels)))
    }
}

/// Of `n` samples, in rows as textures are copied.
fn bytes(layout: Layout, n: usize) -> u64 {
    (row_bytes(layout.width) * layout.height * layout.layers * n) as u64
}
