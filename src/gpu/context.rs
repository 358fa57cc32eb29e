//! A device that is open: its queue, its pipelines, and what goes wrong with it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::adapter::{Adapter, FOR_RASTERISERS};
use crate::error::panic_message;
use crate::ops::Activation;
use crate::plan::{Shader, Texels, TextureSize, activation_code};
use crate::{Error, Result};

/// An open device.
#[derive(Debug)]
pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    workgroup_rows: usize,
    /// Where texels are.
    pub texels: Texels,
    /// Whether a batch is submitted part by part.
    pub submits_parts: bool,
    /// Whether a submission returns when it is computed: a rasteriser's does.
    pub computes_when_submitted: bool,
    problem: Arc<Mutex<Option<String>>>,
    /// What was compiled, which lasts: plans use a shader many times, and a tuner has many plans.
    pipelines: Mutex<HashMap<(Shader, Activation, Texels), wgpu::ComputePipeline>>,
}

impl Context {
    /// Opens a device with all that the adapter allows.
    pub fn open(adapter: &Adapter) -> Result<Context> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vgg"),
            // TIMESTAMP_QUERY is for timing layers.
            required_features: adapter.adapter.features() & (wgpu::Features::TIMESTAMP_QUERY | FOR_RASTERISERS),
            required_limits: adapter.adapter.limits(),
            // Buffers are made once, so that no time is saved by blocks of 256 MB for those to come.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
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
            texels: adapter.texels(),
            submits_parts: !adapter.is_discrete(),
            computes_when_submitted: !adapter.is_hardware(),
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

    /// wgpu has no error for a driver that says of a wait that the device is lost: it panics.
    fn poll(&self, what: wgpu::PollType) -> Result<()> {
        let waited = catch_unwind(AssertUnwindSafe(|| self.device.poll(what)));
        self.check()?;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(problem)) => Err(failed(&format!("it does not answer: {problem}"))),
            Err(panic) => Err(failed(panic_message(&*panic))),
        }
    }

    /// Commands to be submitted.
    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
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
    pub fn pipeline(&self, shader: Shader, activation: Activation, texels: Texels) -> wgpu::ComputePipeline {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        pipelines
            .entry((shader, activation, texels))
            .or_insert_with(|| self.compile(shader, activation, texels))
            .clone()
    }

    fn compile(&self, shader: Shader, activation: Activation, texels: Texels) -> wgpu::ComputePipeline {
        let name = shader.name();
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(shader.source(texels).into()),
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

/// The size as wgpu takes it.
pub fn extent(size: TextureSize) -> wgpu::Extent3d {
    wgpu::Extent3d { width: size.width as u32, height: size.height as u32, depth_or_array_layers: size.layers as u32 }
}
