//! Textures whose memory is a buffer too. A rasteriser on the CPU is fast at reading textures and slow at writing them, and with
//! buffers it is the other way round: so one shader writes into the buffer what the next reads from the texture.
//!
//! WebGPU has no such thing and Vulkan has: memory aliasing, which is defined for images with linear tiling in the layout that
//! shaders read them in.

/// A texture's memory. wgpu does not know whose it is, and puts no barrier between a write into it and a read from the
/// texture: this is for adapters that finish a dispatch before they begin the next.
pub struct Memory {
    /// The texels of the texture's first layer, row by row.
    pub buffer: wgpu::Buffer,
    /// Texels from one row's first to the next row's.
    pub pitch: u32,
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

    use ash::vk;
    use wgpu::hal;
    use wgpu::hal::api::Vulkan;
    use wgpu::hal::vulkan::TextureMemory;

    use super::Memory;
    use crate::gpu::context::TEXEL_BYTES;
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
        let refused = |problem| {
            Error::Device(format!(
                "the GPU gives a texture and a buffer no common memory: {problem}. --device cpu needs no GPU"
            ))
        };
        // SAFETY: the image and the buffer are made as their descriptors say. From here on they are wgpu's, which destroys them
        // and frees the memory when nothing needs them that was submitted.
        unsafe {
            let hal = device.as_hal::<Vulkan>().ok_or_else(|| refused(vk::Result::ERROR_FEATURE_NOT_PRESENT))?;
            let (parts, pitch) = Parts::new(hal.raw_device(), descriptor.size).map_err(refused)?;
            let parts = ManuallyDrop::new(parts);
            let memory = TextureMemory::Dedicated(parts.memory);
            let texture = hal.texture_from_raw(parts.image, &of_hal(descriptor), None, memory);
            let texture =
                device.create_texture_from_hal::<Vulkan>(texture, descriptor, wgpu::TextureUses::UNINITIALIZED);
            let of_buffer = wgpu::BufferDescriptor {
                label: descriptor.label,
                size: layer_bytes(pitch, descriptor.size),
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            };
            let buffer = hal::vulkan::Buffer::from_raw(parts.buffer);
            let buffer = device.create_buffer_from_hal::<Vulkan>(buffer, &of_buffer);
            Ok((texture, Memory { buffer, pitch }))
        }
    }

    fn layer_bytes(pitch: u32, size: wgpu::Extent3d) -> u64 {
        u64::from(pitch) * u64::from(size.height) * TEXEL_BYTES as u64
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

    /// What Vulkan has made and nobody owns yet.
    struct Parts<'a> {
        device: &'a ash::Device,
        image: vk::Image,
        buffer: vk::Buffer,
        memory: vk::DeviceMemory,
    }

    impl<'a> Parts<'a> {
        /// An image and a buffer of its first layer, in the same memory, and the texels from row to row.
        fn new(device: &'a ash::Device, size: wgpu::Extent3d) -> Result<(Parts<'a>, u32), vk::Result> {
            let (image, buffer, memory) = Default::default();
            let mut parts = Parts { device, image, buffer, memory };
            // SAFETY: everything is the device's, and used as Vulkan has it.
            unsafe {
                parts.image = device.create_image(&linear_image(size), None)?;
                let first =
                    vk::ImageSubresource { aspect_mask: vk::ImageAspectFlags::COLOR, mip_level: 0, array_layer: 0 };
                let layout = device.get_image_subresource_layout(parts.image, first);
                if layout.offset != 0 || !layout.row_pitch.is_multiple_of(TEXEL_BYTES as u64) {
                    return Err(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
                }
                let pitch = (layout.row_pitch / TEXEL_BYTES as u64) as u32;
                let buffer = vk::BufferCreateInfo::default()
                    .size(layer_bytes(pitch, size))
                    .usage(vk::BufferUsageFlags::STORAGE_BUFFER);
                parts.buffer = device.create_buffer(&buffer, None)?;
                parts.bind()?;
                Ok((parts, pitch))
            }
        }

        /// Gives both the same memory.
        unsafe fn bind(&mut self) -> Result<(), vk::Result> {
            // SAFETY: as the caller says, both are there and have no memory.
            unsafe {
                let image = self.device.get_image_memory_requirements(self.image);
                let buffer = self.device.get_buffer_memory_requirements(self.buffer);
                let types = image.memory_type_bits & buffer.memory_type_bits;
                if types == 0 {
                    return Err(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
                }
                let memory = vk::MemoryAllocateInfo::default()
                    .allocation_size(image.size.max(buffer.size))
                    .memory_type_index(types.trailing_zeros());
                self.memory = self.device.allocate_memory(&memory, None)?;
                self.device.bind_image_memory(self.image, self.memory, 0)?;
                self.device.bind_buffer_memory(self.buffer, self.memory, 0)
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
