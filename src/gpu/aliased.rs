//! Textures whose memory is a buffer too, and the program's own. A rasteriser on the CPU is fast at reading textures and slow at
//! writing them, and with buffers it is the other way round: so one shader writes into the buffer what the next reads from the
//! texture. And weights need not be copied to it, which would have to wait for whatever the driver is about.
//!
//! WebGPU has no such thing and Vulkan has: memory aliasing, which is defined for images with linear tiling in the layout that
//! shaders read them in.

use std::ops::Range;
use std::ptr::NonNull;

/// A texture's memory. wgpu does not know whose it is, and puts no barrier between a write into it and a read from the
/// texture: this is for adapters that finish a dispatch before they begin the next.
pub struct Memory {
    /// The texture's texels, row by row.
    pub buffer: wgpu::Buffer,
    /// Texels from one row's first to the next row's, and from one layer's to the next layer's.
    pub pitch: [u32; 2],
    /// Mapped as long as the texture is there.
    texels: NonNull<[f32]>,
    /// So that it is.
    _texture: wgpu::Texture,
}

// SAFETY: the texels are memory as any other, and `layer` alone gives access to them.
unsafe impl Send for Memory {}
unsafe impl Sync for Memory {}

impl Memory {
    /// The texels of some layers, in rows of `pitch[0]` texels.
    ///
    /// # Safety
    /// Nothing that was submitted reads or writes the texture or the buffer while they are in use.
    pub unsafe fn layers(&mut self, layers: Range<usize>) -> &mut [f32] {
        // SAFETY: they are mapped as long as the texture is there, and nobody else has them: neither shaders, as the caller
        // says, nor somebody else who called.
        let texels = unsafe { self.texels.as_mut() };
        let length = self.pitch[1] as usize * 4;
        &mut texels[layers.start * length..layers.end * length]
    }
}

#[cfg(any(windows, target_os = "linux"))]
pub use vulkan::{supported, texture};

/// Whether an adapter has such textures.
#[cfg(not(any(windows, target_os = "linux")))]
pub fn supported(_: &wgpu::Adapter) -> bool {
    false
}

/// Such a texture.
#[cfg(not(any(windows, target_os = "linux")))]
pub fn texture(_: &wgpu::Device, _: &wgpu::TextureDescriptor<'_>) -> crate::Result<(wgpu::Texture, Memory)> {
    unreachable!("no adapter supports it")
}

#[cfg(any(windows, target_os = "linux"))]
mod vulkan {
    use std::mem::ManuallyDrop;
    use std::ptr::NonNull;

    use ash::vk;
    use wgpu::hal;
    use wgpu::hal::api::Vulkan;
    use wgpu::hal::vulkan::TextureMemory;

    use super::Memory;
    use crate::gpu::context::failed;
    use crate::plan::TEXEL_BYTES;
    use crate::{Error, Result};

    /// Four f32, as all textures have.
    const FORMAT: vk::Format = vk::Format::R32G32B32A32_SFLOAT;

    /// Whether an adapter has such textures.
    pub fn supported(adapter: &wgpu::Adapter) -> bool {
        // SAFETY: wgpu's adapter is only asked.
        unsafe {
            let Some(adapter) = adapter.as_hal::<Vulkan>() else { return false };
            let instance = adapter.shared_instance().raw_instance();
            let format = instance.get_physical_device_format_properties(adapter.raw_physical_device(), FORMAT);
            let needed = vk::FormatFeatureFlags::STORAGE_IMAGE
                | vk::FormatFeatureFlags::TRANSFER_SRC
                | vk::FormatFeatureFlags::TRANSFER_DST;
            format.linear_tiling_features.contains(needed)
        }
    }

    /// Such a texture, for a device whose adapter is [`supported`].
    pub fn texture(device: &wgpu::Device, descriptor: &wgpu::TextureDescriptor<'_>) -> Result<(wgpu::Texture, Memory)> {
        let refused = |problem| match problem {
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY | vk::Result::ERROR_OUT_OF_HOST_MEMORY => failed("Out of Memory"),
            _ => Error::Device(format!(
                "the GPU gives a texture and a buffer no common memory: {problem}. --device cpu needs no GPU"
            )),
        };
        // SAFETY: the image and the buffer are made as their descriptors say. From here on they are wgpu's, which destroys them
        // and frees the memory when nothing needs them that was submitted.
        unsafe {
            let hal = device.as_hal::<Vulkan>().ok_or_else(|| refused(vk::Result::ERROR_FEATURE_NOT_PRESENT))?;
            let parts = Parts::new(&hal, descriptor.size).map_err(refused)?;
            let parts = ManuallyDrop::new(parts);
            let memory = TextureMemory::Dedicated(parts.memory);
            let texture = hal.texture_from_raw(parts.image, &of_hal(descriptor), None, memory);
            let texture =
                device.create_texture_from_hal::<Vulkan>(texture, descriptor, wgpu::TextureUses::UNINITIALIZED);
            let bytes = parts.bytes(descriptor.size);
            let of_buffer = wgpu::BufferDescriptor {
                label: descriptor.label,
                size: bytes,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            };
            let buffer = hal::vulkan::Buffer::from_raw(parts.buffer);
            let buffer = device.create_buffer_from_hal::<Vulkan>(buffer, &of_buffer);
            let memory = Memory {
                buffer,
                pitch: [parts.row_bytes, parts.layer_pitch].map(|bytes| (bytes / TEXEL_BYTES as u64) as u32),
                texels: NonNull::slice_from_raw_parts(parts.texels, bytes as usize / size_of::<f32>()),
                _texture: texture.clone(),
            };
            Ok((texture, memory))
        }
    }

    /// The descriptor as wgpu's Vulkan backend takes it.
    fn of_hal<'a>(descriptor: &wgpu::TextureDescriptor<'a>) -> hal::TextureDescriptor<'a> {
        hal::TextureDescriptor {
            label: descriptor.label,
            size: descriptor.size,
            mip_level_count: descriptor.mip_level_count,
            sample_count: descriptor.sample_count,
            dimension: descriptor.dimension,
            format: descriptor.format,
            usage: wgpu::TextureUses::STORAGE_READ_ONLY
                | wgpu::TextureUses::STORAGE_WRITE_ONLY
                | wgpu::TextureUses::COPY_SRC
                | wgpu::TextureUses::COPY_DST,
            memory_flags: hal::MemoryFlags::empty(),
            view_formats: Vec::new(),
        }
    }

    /// What Vulkan has made and nobody owns yet: an image and a buffer in the same memory.
    struct Parts<'a> {
        device: &'a ash::Device,
        image: vk::Image,
        buffer: vk::Buffer,
        memory: vk::DeviceMemory,
        /// Bytes from row to row and from layer to layer.
        row_bytes: u64,
        layer_pitch: u64,
        /// The first.
        texels: NonNull<f32>,
    }

    impl<'a> Parts<'a> {
        fn new(hal: &'a hal::vulkan::Device, size: wgpu::Extent3d) -> Result<Parts<'a>, vk::Result> {
            let device = hal.raw_device();
            let (image, buffer, memory) = Default::default();
            let texels = NonNull::dangling();
            let mut parts = Parts { device, image, buffer, memory, row_bytes: 0, layer_pitch: 0, texels };
            // SAFETY: everything is the device's, and used as Vulkan has it.
            unsafe {
                parts.image = device.create_image(&linear_image(size), None)?;
                let first =
                    vk::ImageSubresource { aspect_mask: vk::ImageAspectFlags::COLOR, mip_level: 0, array_layer: 0 };
                let layout = device.get_image_subresource_layout(parts.image, first);
                parts.row_bytes = layout.row_pitch;
                // Of a single layer, Vulkan does not say.
                let is_array = size.depth_or_array_layers > 1;
                parts.layer_pitch = if is_array { layout.array_pitch } else { parts.layer_bytes(size) };
                let texel = TEXEL_BYTES as u64;
                if layout.offset != 0 || [parts.row_bytes, parts.layer_pitch].iter().any(|pitch| pitch % texel != 0) {
                    return Err(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
                }
                let bytes = parts.bytes(size);
                let buffer = vk::BufferCreateInfo::default().size(bytes).usage(vk::BufferUsageFlags::STORAGE_BUFFER);
                parts.buffer = device.create_buffer(&buffer, None)?;
                parts.bind(hal, bytes)?;
                Ok(parts)
            }
        }

        /// Bytes of the rows of a layer.
        fn layer_bytes(&self, size: wgpu::Extent3d) -> u64 {
            self.row_bytes * u64::from(size.height)
        }

        /// Bytes of all layers.
        fn bytes(&self, size: wgpu::Extent3d) -> u64 {
            self.layer_pitch * u64::from(size.depth_or_array_layers)
        }

        /// Gives both the same memory, of at least so many bytes, which the program can read and write.
        unsafe fn bind(&mut self, hal: &hal::vulkan::Device, bytes: u64) -> Result<(), vk::Result> {
            // SAFETY: as the caller says, both are there and have no memory.
            unsafe {
                let image = self.device.get_image_memory_requirements(self.image);
                let buffer = self.device.get_buffer_memory_requirements(self.buffer);
                let types = image.memory_type_bits & buffer.memory_type_bits;
                let instance = hal.shared_instance().raw_instance();
                let properties = instance.get_physical_device_memory_properties(hal.raw_physical_device());
                let needed = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
                let is_fit = |&(index, kind): &(usize, &vk::MemoryType)| {
                    types >> index & 1 == 1 && kind.property_flags.contains(needed)
                };
                let found = properties.memory_types_as_slice().iter().enumerate().find(is_fit);
                let (index, _) = found.ok_or(vk::Result::ERROR_FORMAT_NOT_SUPPORTED)?;
                let memory = vk::MemoryAllocateInfo::default()
                    .allocation_size(image.size.max(buffer.size).max(bytes))
                    .memory_type_index(index as u32);
                self.memory = self.device.allocate_memory(&memory, None)?;
                self.device.bind_image_memory(self.image, self.memory, 0)?;
                self.device.bind_buffer_memory(self.buffer, self.memory, 0)?;
                let whole = self.device.map_memory(self.memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?;
                self.texels = NonNull::new(whole.cast()).ok_or(vk::Result::ERROR_MEMORY_MAP_FAILED)?;
                Ok(())
            }
        }
    }

    impl Drop for Parts<'_> {
        fn drop(&mut self) {
            // SAFETY: nobody else has them; of what is not there yet Vulkan destroys nothing.
            unsafe {
                self.device.destroy_buffer(self.buffer, None);
                self.device.destroy_image(self.image, None);
                self.device.free_memory(self.memory, None);
            }
        }
    }

    /// An image whose texels lie in rows.
    fn linear_image(size: wgpu::Extent3d) -> vk::ImageCreateInfo<'static> {
        vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(FORMAT)
            .extent(vk::Extent3D { width: size.width, height: size.height, depth: 1 })
            .mip_levels(1)
            .array_layers(size.depth_or_array_layers)
            .samples(vk::SampleCountFlags::TYPE_1)
            .tiling(vk::ImageTiling::LINEAR)
            .usage(vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST)
    }
}
