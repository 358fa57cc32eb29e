//! Arrays of texels on the device: activations, kernels.

use std::iter;

use super::aliased::{self, Memory};
use super::context::{Context, extent};
use crate::Result;
use crate::plan::{TEXEL_BYTES, Texels, TextureSize, row_bytes};

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// Layers of rows of texels: a texture, or a buffer in which they follow each other.
pub struct Texture {
    pub size: TextureSize,
    place: Place,
}

enum Place {
    Texture(wgpu::Texture),
    /// One whose memory the program has.
    Aliased(wgpu::Texture, Memory),
    Buffer(wgpu::Buffer),
}

/// What a shader is given of it.
pub enum Binding {
    View(wgpu::TextureView),
    Buffer(wgpu::Buffer),
}

impl Binding {
    pub fn resource(&self) -> wgpu::BindingResource<'_> {
        match self {
            Binding::View(view) => wgpu::BindingResource::TextureView(view),
            Binding::Buffer(buffer) => buffer.as_entire_binding(),
        }
    }
}

impl Texture {
    /// One of the kind that the device is fastest with; it is written before it is read, or is of zeros where its memory is not
    /// the program's.
    pub fn new(context: &Context, label: &str, size: TextureSize) -> Result<Texture> {
        let place = match context.texels {
            Texels::Textures => Place::Texture(context.device.create_texture(&descriptor(label, size))),
            Texels::Aliased => aliased(context, label, size)?,
            Texels::Buffers => Place::Buffer(buffer(context, label, size.bytes())),
        };
        Ok(Texture { size, place })
    }

    /// One of `size` in a buffer, which may be larger and another one's too.
    pub fn within(buffer: &wgpu::Buffer, size: TextureSize) -> Texture {
        Texture { size, place: Place::Buffer(buffer.clone()) }
    }

    /// What a shader reads it by.
    pub fn to_read(&self) -> Binding {
        match &self.place {
            Place::Texture(texture) | Place::Aliased(texture, _) => {
                Binding::View(texture.create_view(&wgpu::TextureViewDescriptor {
                    dimension: Some(wgpu::TextureViewDimension::D2Array),
                    ..Default::default()
                }))
            }
            Place::Buffer(buffer) => Binding::Buffer(buffer.clone()),
        }
    }

    /// Which shaders write it, where bindings have so many bytes at most.
    pub fn texels(&self, largest: u64) -> Texels {
        match &self.place {
            // Rows of whole pairs of texels, which some shaders store.
            Place::Aliased(_, memory) if memory.buffer.size() <= largest && memory.pitch[0].is_multiple_of(2) => {
                Texels::Aliased
            }
            Place::Texture(_) | Place::Aliased(..) => Texels::Textures,
            Place::Buffer(_) => Texels::Buffers,
        }
    }

    /// What such a shader writes it by.
    pub fn to_write(&self, texels: Texels) -> Binding {
        match (&self.place, texels) {
            (Place::Aliased(_, memory), Texels::Aliased) => Binding::Buffer(memory.buffer.clone()),
            _ => self.to_read(),
        }
    }

    /// Texels from one row's first to the next row's, and from one layer's to the next layer's, where shaders are told so.
    pub fn pitch(&self) -> [u32; 2] {
        match &self.place {
            Place::Texture(_) => [0, 0],
            Place::Aliased(_, memory) => memory.pitch,
            Place::Buffer(_) => [self.size.width, self.size.width * self.size.height].map(|texels| texels as u32),
        }
    }

    /// Its memory, where the program has that.
    pub fn memory(&mut self) -> Option<&mut Memory> {
        match &mut self.place {
            Place::Aliased(_, memory) => Some(memory),
            Place::Texture(_) | Place::Buffer(_) => None,
        }
    }

    /// Bytes from row to row of what is copied to it.
    pub fn row_bytes(&self, width: usize) -> usize {
        match &self.place {
            Place::Texture(_) | Place::Aliased(..) => row_bytes(width),
            Place::Buffer(_) => width * TEXEL_BYTES,
        }
    }

    /// Writes `texels`, in rows of `width`, into one layer.
    pub fn write_layer(&self, context: &Context, layer: usize, width: usize, texels: &[f32]) {
        match &self.place {
            Place::Texture(texture) | Place::Aliased(texture, _) => {
                let size = TextureSize { width, height: texels.len() / 4 / width, layers: 1 };
                let layout = layout(0, width * TEXEL_BYTES, size.height);
                let place = at(texture, 0, layer);
                context.queue.write_texture(place, bytemuck::cast_slice(texels), layout, extent(size));
            }
            Place::Buffer(buffer) => {
                // Rows that are as wide as its own follow each other.
                let rows = if width == self.size.width { texels.len() / 4 / width } else { 1 };
                for (index, texels) in texels.chunks_exact(4 * width * rows).enumerate() {
                    context.queue.write_buffer(buffer, self.offset(rows * index, layer), bytemuck::cast_slice(texels));
                }
            }
        }
    }

    /// Copies rows from `first_row` on of some layers from a buffer, where they begin at `offset`, in rows of
    /// [`Texture::row_bytes`] that are as wide as its own.
    pub fn copy_from(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        offset: usize,
        [first_row, first_layer]: [usize; 2],
        size: TextureSize,
    ) {
        let row_bytes = self.row_bytes(size.width);
        match &self.place {
            Place::Texture(texture) | Place::Aliased(texture, _) => {
                let from = wgpu::TexelCopyBufferInfo { buffer, layout: layout(offset, row_bytes, size.height) };
                encoder.copy_buffer_to_texture(from, at(texture, first_row, first_layer), extent(size));
            }
            Place::Buffer(own) => {
                assert_eq!(size.width, self.size.width, "rows follow each other");
                let bytes = (row_bytes * size.height) as u64;
                for layer in 0..size.layers {
                    let from = offset as u64 + layer as u64 * bytes;
                    encoder.copy_buffer_to_buffer(
                        buffer,
                        from,
                        own,
                        self.offset(first_row, first_layer + layer),
                        bytes,
                    );
                }
            }
        }
    }

    /// Copies its first columns, rows and layers to a buffer, in rows of [`row_bytes`].
    pub fn copy_to(&self, encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, size: TextureSize) {
        let row_bytes = row_bytes(size.width);
        match &self.place {
            Place::Texture(texture) | Place::Aliased(texture, _) => {
                let to = wgpu::TexelCopyBufferInfo { buffer, layout: layout(0, row_bytes, size.height) };
                encoder.copy_texture_to_buffer(texture.as_image_copy(), to, extent(size));
            }
            Place::Buffer(own) => {
                let bytes = size.width * TEXEL_BYTES;
                let rows = if size.width == self.size.width && bytes == row_bytes { size.height } else { 1 };
                for row in (0..size.layers * size.height).step_by(rows) {
                    let from = self.offset(row % size.height, row / size.height);
                    let to = (row * row_bytes) as u64;
                    encoder.copy_buffer_to_buffer(own, from, buffer, to, (rows * bytes) as u64);
                }
            }
        }
    }

    /// The byte of a buffer with which a row of a layer begins.
    fn offset(&self, row: usize, layer: usize) -> u64 {
        ((layer * self.size.height + row) * self.size.width * TEXEL_BYTES) as u64
    }
}

/// A buffer for texels.
pub fn buffer(context: &Context, label: &str, bytes: u64) -> wgpu::Buffer {
    context.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

fn aliased(context: &Context, label: &str, size: TextureSize) -> Result<Place> {
    let (texture, memory) = aliased::texture(&context.device, &descriptor(label, size))?;
    // It is read by shaders from now on: what is in it when it becomes so is lost.
    let ready =
        wgpu::TextureTransition { texture: &texture, selector: None, state: wgpu::TextureUses::STORAGE_READ_ONLY };
    let mut encoder = context.encoder();
    encoder.transition_resources(iter::empty(), iter::once(ready));
    context.queue.submit([encoder.finish()]);
    Ok(Place::Aliased(texture, memory))
}

/// Of a texture that shaders read or write.
fn descriptor(label: &str, size: TextureSize) -> wgpu::TextureDescriptor<'_> {
    wgpu::TextureDescriptor {
        label: Some(label),
        size: extent(size),
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    }
}

/// Of rows in a buffer.
fn layout(offset: usize, row_bytes: usize, rows: usize) -> wgpu::TexelCopyBufferLayout {
    wgpu::TexelCopyBufferLayout {
        offset: offset as u64,
        bytes_per_row: Some(row_bytes as u32),
        rows_per_image: Some(rows as u32),
    }
}

fn at(texture: &wgpu::Texture, row: usize, layer: usize) -> wgpu::TexelCopyTextureInfo<'_> {
    let origin = wgpu::Origin3d { x: 0, y: row as u32, z: layer as u32 };
    wgpu::TexelCopyTextureInfo { origin, ..texture.as_image_copy() }
}
