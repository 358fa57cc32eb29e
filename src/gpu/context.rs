//! A device that is open: its queue, its pipelines, and what goes wrong with it.

use std::collections::HashMap;
use std::iter;
use std::sync::{Arc, Mutex};

use super::adapter::{Adapter, FOR_RASTERISERS};
use super::aliased::{self, Memory};
use crate::ops::Activation;
use crate::plan::{Output, Shader, TextureSize, activation_code};
use crate::{Error, Result};

/// The bytes of a texel: four f32.
pub const TEXEL_BYTES: usize = 16;

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// A texture, and its memory where the program has that.
pub struct Texture {
    pub texture: wgpu::Texture,
    pub memory: Option<Memory>,
}

/// An open device.
pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    workgroup_rows: usize,
    /// Whether there are textures whose memory the program has.
    aliases: bool,
    problem: Arc<Mutex<Option<String>>>,
    /// What was compiled, which lasts: plans use a shader many times, and a tuner has many plans.
    pipelines: Mutex<HashMap<(Shader, Activation, Output), wgpu::ComputePipeline>>,
}

impl Context {
    /// Opens a device with all that the adapter allows.
    pub fn open(adapter: &Adapter) -> Result<Context> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vgg"),
            // TIMESTAMP_QUERY is for timing layers.
            required_features: adapter.adapter.features() & (wgpu::Features::TIMESTAMP_QUERY | FOR_RASTERISERS),
            required_limits: adapter.adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.adapter.request_device(&descriptor))
            .map_err(|problem| Error::Device(format!("cannot open {}: {problem}", adapter.describe())))?;
        let problem = Arc::new(Mutex::new(None));
        let remember = |problem: &Arc<Mutex<Option<String>>>| {
            let problem = problem.clone();
            // The first problem is the cause, later ones are its consequences.
            move |text: String| {
                problem.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(text);
            }
        };
        let (on_error, on_loss) = (remember(&problem), remember(&problem));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        device
            .set_device_lost_callback(move |reason, text| on_loss(format!("the device was lost ({reason:?}): {text}")));
        Ok(Context {
            device,
            queue,
            workgroup_rows: adapter.limits().workgroup_rows,
            aliases: adapter.limits().broadcasts_between_threads,
            problem,
            pipelines: Mutex::default(),
        })
    }

    /// An error where the device has reported one since it was opened.
    pub fn check(&self) -> Result<()> {
        match &*self.problem.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            None => Ok(()),
            Some(problem) => Err(failed(problem)),
        }
    }

    /// Waits until everything submitted is done.
    pub fn wait(&self) -> Result<()> {
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    /// Waits until a submission, and those before it, are done.
    pub fn wait_for(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        self.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })
    }

    fn poll(&self, what: wgpu::PollType) -> Result<()> {
        let waited = self.device.poll(what);
        self.check()?;
        waited.map(drop).map_err(|problem| Error::Device(format!("the GPU does not answer: {problem}")))
    }

    /// Commands to be submitted.
    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    /// A texture that is written before it is read: with its memory, where the adapter has such textures, otherwise of zeros.
    pub fn texture(&self, label: &str, size: TextureSize) -> Result<Texture> {
        if !self.aliases {
            return Ok(Texture { texture: self.device.create_texture(&descriptor(label, size)), memory: None });
        }
        let (texture, memory) = aliased::texture(&self.device, &descriptor(label, size))?;
        // It is read by shaders from now on: what is in it when it becomes so is lost.
        let ready =
            wgpu::TextureTransition { texture: &texture, selector: None, state: wgpu::TextureUses::STORAGE_READ_ONLY };
        let mut encoder = self.encoder();
        encoder.transition_resources(iter::empty(), iter::once(ready));
        self.queue.submit([encoder.finish()]);
        Ok(Texture { texture, memory: Some(memory) })
    }

    /// Writes `texels`, in rows of `width`, into one layer from `first_row` on.
    pub fn write_rows(&self, texture: &wgpu::Texture, layer: usize, first_row: usize, width: usize, texels: &[f32]) {
        let rows = (texels.len() / 4 / width) as u32;
        let width = width as u32;
        let mut destination = texture.as_image_copy();
        destination.origin = wgpu::Origin3d { x: 0, y: first_row as u32, z: layer as u32 };
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(width * TEXEL_BYTES as u32),
            rows_per_image: Some(rows),
        };
        let size = wgpu::Extent3d { width, height: rows, depth_or_array_layers: 1 };
        self.queue.write_texture(destination, bytemuck::cast_slice(texels), layout, size);
    }

    /// A buffer of `contents`, whole multiples of 4 bytes.
    pub fn buffer(&self, label: &str, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        // Not mapped at creation, which panics where memory has run out.
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: contents.len() as u64,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, contents);
        buffer
    }

    /// A shader with an activation, compiled when it is first asked for.
    pub fn pipeline(&self, shader: Shader, activation: Activation, output: Output) -> wgpu::ComputePipeline {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        pipelines
            .entry((shader, activation, output))
            .or_insert_with(|| self.compile(shader, activation, output))
            .clone()
    }

    fn compile(&self, shader: Shader, activation: Activation, output: Output) -> wgpu::ComputePipeline {
        let name = shader.name();
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(shader.source(output).into()),
        };
        // SAFETY: without the checks, a shader must keep within its textures and buffers, and end its loops, by itself.
        // Each one's header says how its edges are kept; loops run over sizes in its parameters, which come from a plan,
        // whose tests hold them within the textures and buffers it plans. With the checks, convolutions on lavapipe take
        // several times as long, because every loop counts in 64 bits.
        let module =
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let constants =
            [("WORKGROUP_ROWS", self.workgroup_rows as f64), ("ACTIVATION", activation_code(activation).into())];
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }
}

/// What a device's problem is to whoever runs the program.
pub fn failed(problem: &str) -> Error {
    let advice = "A smaller --batch needs less memory; --device cpu needs no GPU";
    Error::Device(format!("the GPU failed: {problem}. {advice}"))
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

/// The size as wgpu takes it.
pub fn extent(size: TextureSize) -> wgpu::Extent3d {
    wgpu::Extent3d { width: size.width as u32, height: size.height as u32, depth_or_array_layers: size.layers as u32 }
}
