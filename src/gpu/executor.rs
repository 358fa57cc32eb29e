//! A plan on a device: textures, pipelines and bind groups made once; one encoder and one submission a batch.

use std::collections::{HashSet, VecDeque};
use std::iter;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;

use super::Adapter;
use super::aliased::Memory;
use super::context::{Context, TEXEL_BYTES, Texture};
use super::guard;
use super::uploads::Uploads;
use super::weights::{Kernels, StepWeights, preprocess_table};
use crate::executor::{Executor, Input, batch_len};
use crate::network::Node;
use crate::ops::Op;
use crate::plan::{Dispatch, Layout, Output, Plan, Shader, Step, TextureSize};
use crate::{Error, Network, Result, Tensor};

/// Batches that may be under way: while one is read back, the next computes.
const DEPTH: usize = 2;

/// The label of textures of activations.
const SLOT: &str = "vgg.activations";

/// Runs a [`Network`] with the shaders, on one adapter.
pub struct GpuExecutor {
    network: Network,
    plan: Plan,
    device: String,
    pub(super) context: Arc<Context>,
    slots: Vec<Texture>,
    pixels: Option<wgpu::Buffer>,
    steps: Vec<Launches>,
    /// Where outputs are copied to, one for each batch under way.
    readbacks: [wgpu::Buffer; DEPTH],
    pub(super) under_way: VecDeque<UnderWay>,
    submitted: usize,
}

/// A dispatch ready to be encoded.
pub(super) struct Launch {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    dispatch: Dispatch,
}

/// Those of a plan's step.
struct Launches {
    /// What makes its own output.
    own: Vec<Launch>,
    /// What makes that of the pool behind it, where the step has such dispatches.
    pooled: Option<Vec<Launch>>,
}

/// Reads the weights of an op, or makes some.
type LoadWeights = fn(&Op) -> Result<StepWeights>;

/// A batch submitted and not yet collected.
pub(super) struct UnderWay {
    n: usize,
    readback: usize,
    submission: wgpu::SubmissionIndex,
}

impl Launches {
    /// What a batch launches.
    fn launched(&self) -> &[Launch] {
        self.pooled.as_ref().unwrap_or(&self.own)
    }
}

impl GpuExecutor {
    /// Plans `network` for `adapter`, compiles the shaders and uploads the weights, one parameter at a time. `batch` asks
    /// for a batch size instead of the plan's own choice. Errors are [`Error::Device`], and those of reading the weights.
    pub fn new(network: Network, adapter: &Adapter, batch: Option<usize>) -> Result<GpuExecutor> {
        let helper = adapter.compiles_on_one_thread().then_some(adapter);
        GpuExecutor::open(network, adapter, batch, 0, helper)
    }

    /// For tests: every activation texture is `guard` texels wider and higher, and has `guard` layers more, than planned,
    /// all filled with NaN. Reading there spoils results, writing there is found by [`GpuExecutor::guards_hold`].
    #[doc(hidden)]
    pub fn with_guard(network: Network, adapter: &Adapter, batch: Option<usize>, guard: usize) -> Result<GpuExecutor> {
        GpuExecutor::open(network, adapter, batch, guard, None)
    }

    fn open(
        network: Network,
        adapter: &Adapter,
        batch: Option<usize>,
        guard: usize,
        helper: Option<&Adapter>,
    ) -> Result<GpuExecutor> {
        let plan = adapter.plan(&network, batch)?;
        let context = Arc::new(Context::open(adapter)?);
        let mut executor = GpuExecutor::unprepared(network, plan, context, adapter.describe(), guard)?;
        executor.steps = executor.compile(StepWeights::load, helper)?;
        Ok(executor)
    }

    /// For measuring: all weights are zeros that were never read.
    pub(super) fn without_weights(context: Arc<Context>, network: Network, plan: Plan) -> Result<GpuExecutor> {
        let mut executor = GpuExecutor::unprepared(network, plan, context, String::new(), 0)?;
        executor.steps = executor.compile(|op| Ok(StepWeights::zeros(op)), None)?;
        Ok(executor)
    }

    /// With all that it needs but weights and shaders.
    fn unprepared(
        network: Network,
        plan: Plan,
        context: Arc<Context>,
        device: String,
        guard: usize,
    ) -> Result<GpuExecutor> {
        let slots = slots(&plan, &context, guard)?;
        let pixels = plan
            .pixel_bytes
            .map(|bytes| context.buffer("vgg.pixels", &vec![0; bytes as usize], wgpu::BufferUsages::STORAGE));
        let readbacks = [(); DEPTH].map(|()| readback(&context, plan.output().0, plan.batch));
        Ok(GpuExecutor {
            network,
            plan,
            device,
            context,
            slots,
            pixels,
            steps: Vec::new(),
            readbacks,
            under_way: VecDeque::new(),
            submitted: 0,
        })
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// For tests: whether nothing was ever written around the planned textures.
    #[doc(hidden)]
    pub fn guards_hold(&self) -> Result<bool> {
        for (slot, &planned) in self.slots.iter().zip(&self.plan.slots) {
            if !guard::holds(&self.context, &slot.texture, planned)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// For tests: loses the device when it is called.
    #[doc(hidden)]
    pub fn fuse(&self) -> impl Fn() + Send + use<> {
        let device = self.context.device.clone();
        move || device.destroy()
    }

    /// Seconds that the device takes for `n` samples, whatever is in its textures.
    pub(super) fn time(&self, n: usize) -> Result<f64> {
        let mut encoder = self.context.encoder();
        self.encode(&mut encoder, self.batch(), n, None);
        let start = Instant::now();
        let submission = self.context.queue.submit([encoder.finish()]);
        self.context.wait_for(submission)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Reads and uploads the weights, those of a step while another thread reads the next one's. Where there is a `helper`, it
    /// helps to compile.
    fn compile(&self, load: LoadWeights, helper: Option<&Adapter>) -> Result<Vec<Launches>> {
        thread::scope(|scope| {
            let (sender, loaded) = bounded(1);
            let load = move || {
                // The receiver is gone only where another step has failed.
                (0..self.plan.steps.len()).all(|index| sender.send(self.load(index, load)).is_ok())
            };
            thread::Builder::new()
                .spawn_scoped(scope, load)
                .map_err(|source| Error::Thread { purpose: "read the weights", source })?;
            if let Some(adapter) = helper {
                // If it fails, the shaders are compiled here.
                let help = move || self.help_to_compile(adapter).unwrap_or_default();
                thread::Builder::new()
                    .spawn_scoped(scope, help)
                    .map_err(|source| Error::Thread { purpose: "compile shaders", source })?;
            }
            // All of them before anything is launched: those whose memory is written here must be the device's by then.
            let kernels = (0..self.plan.steps.len()).map(|index| self.kernels(index)).collect::<Result<Vec<_>>>()?;
            let mut uploads = Uploads::new(&self.context)?;
            self.prepare(&kernels)?;
            let mut steps = Vec::new();
            for (index, ((step, loaded), mut kernels)) in self.plan.steps.iter().zip(loaded).zip(kernels).enumerate() {
                let weights = loaded?;
                weights.upload(&mut uploads, step.all_dispatches(), &mut kernels)?;
                let launches = self.launches(step, &weights, &kernels, &self.label(index))?;
                steps.push(launches);
            }
            uploads.finish()?;
            Ok(steps)
        })
    }

    /// Launches each shader for no samples: drivers that compile one when it is first launched do so while weights are read.
    fn prepare(&self, kernels: &[Kernels]) -> Result<()> {
        let mut encoder = self.context.encoder();
        for (step, dispatch) in self.distinct() {
            self.encode_nothing(&mut encoder, step, dispatch, &kernels[step])?;
        }
        self.context.queue.submit([encoder.finish()]);
        self.context.check()
    }

    /// Compiles the same shaders on another device, from the last to the first, while this device does from the first to the
    /// last: it finds those that the other has compiled in the driver's cache.
    fn help_to_compile(&self, adapter: &Adapter) -> Result<()> {
        let context = Arc::new(Context::open(adapter)?);
        let helper = GpuExecutor::unprepared(self.network.clone(), self.plan.clone(), context, String::new(), 0)?;
        for (step, dispatch) in helper.distinct().into_iter().rev() {
            let mut encoder = helper.context.encoder();
            helper.encode_nothing(&mut encoder, step, dispatch, &helper.kernels(step)?)?;
            helper.context.queue.submit([encoder.finish()]);
        }
        helper.context.wait()
    }

    /// The first dispatch of each shader, and its step: those with the longest sources at the beginning and the end, so that
    /// two who compile them from either side meet at what is done soon.
    fn distinct(&self) -> VecDeque<(usize, &Dispatch)> {
        let mut seen = HashSet::new();
        let all = self.plan.steps.iter().enumerate().flat_map(|(index, step)| iter::repeat(index).zip(step.launched()));
        let mut distinct: Vec<_> = all
            .filter(|(_, dispatch)| seen.insert((dispatch.shader, dispatch.activation, self.output_by(dispatch))))
            .collect();
        distinct.sort_by_key(|(_, dispatch)| dispatch.shader.source(self.output_by(dispatch)).len());
        let mut ordered = VecDeque::new();
        for (rank, dispatch) in distinct.into_iter().enumerate() {
            match rank % 2 {
                0 => ordered.push_front(dispatch),
                _ => ordered.push_back(dispatch),
            }
        }
        ordered
    }

    fn encode_nothing(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        step: usize,
        dispatch: &Dispatch,
        kernels: &Kernels,
    ) -> Result<()> {
        let weights = self.load(step, |op| Ok(StepWeights::zeros(op)))?;
        let launch = self.launch(dispatch, kernels, &weights, &self.label(step));
        self.encode(encoder, [&launch], 0, None);
        Ok(())
    }

    /// The node that a step computes: none where it preprocesses.
    fn node_of(&self, step: usize) -> Option<&Node> {
        let first_node = usize::from(self.network.preprocess.is_some());
        step.checked_sub(first_node).map(|node| &self.network.nodes[node])
    }

    fn label(&self, step: usize) -> String {
        format!("vgg.{}", self.node_of(step).map_or("preprocess", |node| &node.layer))
    }

    /// A step's weights.
    fn load(&self, step: usize, load: LoadWeights) -> Result<StepWeights> {
        match (self.node_of(step), &self.network.preprocess) {
            (Some(node), _) => load(&node.op),
            (None, Some(preprocess)) => Ok(StepWeights::Channels(preprocess_table(preprocess))),
            (None, None) => unreachable!("the first step is a node's"),
        }
    }

    /// Textures for the parts of a step's kernel.
    fn kernels(&self, step: usize) -> Result<Kernels> {
        let label = self.label(step);
        let parts: HashSet<_> =
            self.plan.steps[step].all_dispatches().filter_map(|dispatch| dispatch.weights).collect();
        parts.into_iter().map(|part| Ok((part, self.context.memory_texture(&label, part.size)?))).collect()
    }

    fn launches(&self, step: &Step, weights: &StepWeights, kernels: &Kernels, label: &str) -> Result<Launches> {
        let launch = |dispatch: &Dispatch| self.launch(dispatch, kernels, weights, label);
        let pooled = step.pooled.as_ref().map(|pooled| pooled.iter().map(launch).collect());
        let launches = Launches { own: step.dispatches.iter().map(launch).collect(), pooled };
        self.context.check()?;
        Ok(launches)
    }

    fn launch(&self, dispatch: &Dispatch, kernels: &Kernels, weights: &StepWeights, label: &str) -> Launch {
        let memory = self.output_memory(dispatch);
        let pipeline = self.context.pipeline(dispatch.shader, dispatch.activation, self.output_by(dispatch));
        let view = |texture: &wgpu::Texture| {
            texture.create_view(&wgpu::TextureViewDescriptor {
                dimension: Some(wgpu::TextureViewDimension::D2Array),
                ..Default::default()
            })
        };
        let params = self.uniform(label, &dispatch.params);
        let input = dispatch.slots.input.map(|slot| view(&self.slots[slot].texture));
        let pitch = memory.map(|memory| self.uniform(label, &memory.pitch));
        let output = view(&self.slots[dispatch.slots.output].texture);
        let kernel = dispatch.weights.map(|part| view(&kernels[&part].texture));
        let channels = dispatch.shader.reads_channels().then(|| {
            let values = weights.channels(dispatch.weights.map(|part| part.quads));
            self.context.buffer(label, bytemuck::cast_slice(&values), wgpu::BufferUsages::STORAGE)
        });
        let texture = wgpu::BindingResource::TextureView;
        let resources = [
            Some(params.as_entire_binding()),
            input.as_ref().map(texture),
            Some(memory.map_or_else(|| texture(&output), |memory| memory.buffer.as_entire_binding())),
            kernel.as_ref().map(texture),
            channels.as_ref().map(|buffer| buffer.as_entire_binding()),
            self.pixels.as_ref().filter(|_| dispatch.shader == Shader::Preprocess).map(|b| b.as_entire_binding()),
            pitch.as_ref().map(|buffer| buffer.as_entire_binding()),
        ];
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(resources)
            .filter_map(|(binding, resource)| Some(wgpu::BindGroupEntry { binding, resource: resource? }))
            .collect();
        let bindings = self.context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Launch { pipeline, bindings, dispatch: dispatch.clone() }
    }

    /// The memory that a dispatch writes its output into, where that is a buffer which shaders take.
    fn output_memory(&self, dispatch: &Dispatch) -> Option<&Memory> {
        let largest = self.context.device.limits().max_storage_buffer_binding_size;
        self.slots[dispatch.slots.output].memory.as_ref().filter(|memory| memory.buffer.size() <= largest)
    }

    fn output_by(&self, dispatch: &Dispatch) -> Output {
        self.output_memory(dispatch).map_or(Output::Texture, |_| Output::Buffer)
    }

    fn uniform(&self, label: &str, words: &[u32]) -> wgpu::Buffer {
        let mut words = words.to_vec();
        // Uniform buffers are whole multiples of 16 bytes.
        words.resize(words.len().next_multiple_of(4), 0);
        self.context.buffer(label, bytemuck::cast_slice(&words), wgpu::BufferUsages::UNIFORM)
    }

    /// The nodes that steps compute: none where the only one preprocesses.
    pub(super) fn nodes_of(&self, steps: Range<usize>) -> Range<usize> {
        let first_node = usize::from(self.network.preprocess.is_some());
        steps.start.saturating_sub(first_node)..steps.end - first_node
    }

    /// What the batch launches for a part of the plan.
    pub(super) fn part(&self, steps: Range<usize>) -> &[Launch] {
        self.steps[steps.start].launched()
    }

    /// All that a batch launches.
    fn batch(&self) -> impl Iterator<Item = &Launch> {
        self.plan.parts().into_iter().flat_map(|steps| self.part(steps))
    }

    /// Hands the input to the device and returns the number of samples.
    pub(super) fn upload(&self, input: Input<'_>) -> usize {
        let n = batch_len(&self.network, input, self.plan.batch);
        match (input, &self.pixels) {
            (Input::Pixels(pixels), Some(buffer)) => {
                // Copies are whole multiples of 4 bytes.
                let (whole, rest) = pixels.split_at(pixels.len() / 4 * 4);
                self.context.queue.write_buffer(buffer, 0, whole);
                if !rest.is_empty() {
                    let mut last = [0; 4];
                    last[..rest.len()].copy_from_slice(rest);
                    self.context.queue.write_buffer(buffer, whole.len() as u64, &last);
                }
            }
            (Input::Values(values), _) => {
                let layout = self.plan.input;
                let texels = layout.pack(values);
                let slot = &self.slots[self.plan.input_slot].texture;
                for (layer, texels) in texels.chunks_exact(layout.width * layout.height * 4).enumerate() {
                    self.context.write_rows(slot, layer, 0, layout.width, texels);
                }
            }
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        }
        n
    }

    pub(super) fn encode<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        launches: impl IntoIterator<Item = &'a Launch>,
        n: usize,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        for launch in launches {
            let [x, y, z] = launch.dispatch.workgroups(n).map(|count| count as u32);
            pass.set_pipeline(&launch.pipeline);
            pass.set_bind_group(0, &launch.bindings, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// What was copied to a buffer that is mapped.
    fn read(&self, buffer: &wgpu::Buffer, layout: Layout, n: usize) -> Result<Tensor> {
        let size = row_bytes(layout) * layout.height * layout.layers * n;
        let lost = |problem: &dyn std::fmt::Display| Error::Device(format!("cannot read the GPU's results: {problem}"));
        let mapped = buffer.get_mapped_range(..size as u64).map_err(|problem| lost(&problem))?;
        let rows = mapped.chunks_exact(row_bytes(layout));
        let texels: Vec<f32> = rows
            .flat_map(|row| row[..layout.width * TEXEL_BYTES].chunks_exact(4))
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of 4")))
            .collect();
        drop(mapped);
        buffer.unmap();
        Ok(Tensor::new(n, layout.shape, layout.unpack(n, &texels)))
    }
}

/// The textures of a plan, larger by `guard`.
fn slots(plan: &Plan, context: &Context, guard: usize) -> Result<Vec<Texture>> {
    let slot = |&planned: &TextureSize| {
        let slot = context.memory_texture(SLOT, guard::around(planned, guard))?;
        if guard > 0 {
            guard::fill(context, &slot.texture);
        }
        Ok(slot)
    };
    plan.slots.iter().map(slot).collect()
}

impl Executor for GpuExecutor {
    fn device(&self) -> String {
        self.device.clone()
    }

    fn max_batch(&self) -> usize {
        self.plan.batch
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        assert!(self.under_way.len() < DEPTH, "{DEPTH} batches are under way: collect the oldest first");
        let n = self.upload(input);
        let readback = self.submitted % DEPTH;
        let (layout, slot) = self.plan.output();
        let mut encoder = self.context.encoder();
        self.encode(&mut encoder, self.batch(), n, None);
        copy(&mut encoder, &self.slots[slot].texture, &self.readbacks[readback], layout, n);
        let submission = self.context.queue.submit([encoder.finish()]);
        map(&self.readbacks[readback]);
        self.under_way.push_back(UnderWay { n, readback, submission });
        self.submitted += 1;
        self.context.check()
    }

    fn collect(&mut self) -> Result<Tensor> {
        let UnderWay { n, readback, submission } = self.under_way.pop_front().expect("collect without submit");
        // Only for this batch: the next one goes on computing.
        self.context.wait_for(submission)?;
        self.read(&self.readbacks[readback], self.plan.output().0, n)
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        assert!(self.under_way.is_empty(), "a trace uses the textures of batches under way: collect them first");
        let n = self.upload(input);
        for (index, step) in self.plan.steps.iter().enumerate() {
            let mut encoder = self.context.encoder();
            self.encode(&mut encoder, &self.steps[index].own, n, None);
            let buffer = readback(&self.context, step.output, n);
            copy(&mut encoder, &self.slots[step.output_slot].texture, &buffer, step.output, n);
            let submission = self.context.queue.submit([encoder.finish()]);
            map(&buffer);
            self.context.wait_for(submission)?;
            let output = self.read(&buffer, step.output, n)?;
            if let Some(node) = self.network.nodes[self.nodes_of(index..index + 1)].first() {
                visit(node, output)?;
            }
        }
        Ok(())
    }
}

/// The bytes between rows of a texture that is copied to a buffer.
fn row_bytes(layout: Layout) -> usize {
    (layout.width * TEXEL_BYTES).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize)
}

/// A buffer for `n` samples of a layout.
fn readback(context: &Context, layout: Layout, n: usize) -> wgpu::Buffer {
    context.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("vgg.readback"),
        size: (row_bytes(layout) * layout.height * layout.layers * n) as u64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

fn copy(encoder: &mut wgpu::CommandEncoder, slot: &wgpu::Texture, buffer: &wgpu::Buffer, layout: Layout, n: usize) {
    let destination = wgpu::TexelCopyBufferInfo {
        buffer,
        layout: wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(row_bytes(layout) as u32),
            rows_per_image: Some(layout.height as u32),
        },
    };
    encoder.copy_texture_to_buffer(slot.as_image_copy(), destination, super::context::extent(layout.texture(n)));
}

/// Asks for the buffer to be readable once the device is done. That it could not be is told when it is read.
fn map(buffer: &wgpu::Buffer) {
    buffer.map_async(wgpu::MapMode::Read, .., |_| {});
}
