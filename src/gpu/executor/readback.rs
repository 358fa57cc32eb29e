//! Results on their way back.

use crate::gpu::context::Context;
use crate::gpu::texture::Texture;
use crate::plan::{Layout, TEXEL_BYTES, row_bytes};
use crate::{Error, Result, Tensor};

/// Bytes of a number behind the results.
const NUMBER_BYTES: u64 = 4;

/// A buffer that samples are copied to, and behind them, as the last that the device does, the number of the submission. On
/// Metal wgpu takes what the driver gave up for done, and what was there before would pass for results.
pub struct Readback {
    layout: Layout,
    buffer: wgpu::Buffer,
    /// The number, on the device.
    number: wgpu::Buffer,
    submitted: u32,
}

impl Readback {
    /// For up to `n` samples of a layout.
    pub fn new(context: &Context, layout: Layout, n: usize) -> Readback {
        let buffer = |size, usage| {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("vgg.readback"),
                size,
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        Readback {
            layout,
            buffer: buffer(bytes(layout, n) + NUMBER_BYTES, wgpu::BufferUsages::MAP_READ),
            number: buffer(NUMBER_BYTES, wgpu::BufferUsages::COPY_SRC),
            submitted: 0,
        }
    }

    /// Submits what `encoder` has, and the copy of `n` samples from `slot`.
    pub fn submit(
        &mut self,
        context: &Context,
        mut encoder: wgpu::CommandEncoder,
        slot: &Texture,
        n: usize,
    ) -> wgpu::SubmissionIndex {
        self.submitted = self.submitted.wrapping_add(1);
        context.queue.write_buffer(&self.number, 0, &self.submitted.to_le_bytes());
        slot.copy_to(&mut encoder, &self.buffer, self.layout.texture(n));
        encoder.copy_buffer_to_buffer(&self.number, 0, &self.buffer, bytes(self.layout, n), NUMBER_BYTES);
        let submission = context.queue.submit([encoder.finish()]);
        // That it could not be mapped is told when it is read.
        self.buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        submission
    }

    /// The `n` samples that were submitted, once the device is done.
    pub fn read(&self, n: usize) -> Result<Tensor> {
        let lost = |problem: &dyn std::fmt::Display| Error::Device(format!("cannot read the GPU's results: {problem}"));
        let end = bytes(self.layout, n);
        let mapped = self.buffer.get_mapped_range(..end + NUMBER_BYTES).map_err(|problem| lost(&problem))?;
        let (rows, number) = mapped.split_at(end as usize);
        let is_done = number == self.submitted.to_le_bytes();
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
