//! Before the first batch: the weights are read and uploaded, and all that the plan launches is made and compiled.

use std::collections::{HashSet, VecDeque};
use std::iter;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::bounded;

use super::{GpuExecutor, Launch, Launches};
use crate::gpu::Adapter;
use crate::gpu::context::Context;
use crate::gpu::texture::{Binding, Texture};
use crate::gpu::uploads::Uploads;
use crate::gpu::weights::{Kernels, StepWeights};
use crate::network::Node;
use crate::ops::Op;
use crate::plan::{Dispatch, Shader, Step, Texels};
use crate::{Error, Result};

/// Reads the weights of an op, or makes some.
type LoadWeights = fn(&Op) -> Result<StepWeights>;

impl GpuExecutor {
    /// Reads and uploads the weights, those of a step while another thread reads the next one's. Where there is a `helper`, it
    /// helps to compile.
    pub(super) fn compile(&self, load: LoadWeights, helper: Option<&Adapter>) -> Result<Vec<Launches>> {
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
            let steps = self.plan.steps.iter().enumerate();
            let kernels = steps.map(|(index, step)| self.kernels(index, step.all_dispatches()));
            let kernels = kernels.collect::<Result<Vec<_>>>()?;
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
            helper.encode_nothing(&mut encoder, step, dispatch, &helper.kernels(step, [dispatch])?)?;
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
            .filter(|(_, dispatch)| seen.insert((dispatch.shader, dispatch.activation, self.texels(dispatch))))
            .collect();
        distinct.sort_by_cached_key(|(_, dispatch)| dispatch.shader.source(self.texels(dispatch)).len());
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
        self.network.nodes[self.nodes_of(step..step + 1)].first()
    }

    fn label(&self, step: usize) -> String {
        format!("vgg.{}", self.node_of(step).map_or("preprocess", |node| &node.layer))
    }

    /// A step's weights.
    fn load(&self, step: usize, load: LoadWeights) -> Result<StepWeights> {
        match (self.node_of(step), &self.network.preprocess) {
            (Some(node), _) => load(&node.op),
            (None, Some(preprocess)) => Ok(StepWeights::Preprocess(Box::new(preprocess.clone()))),
            (None, None) => unreachable!("the first step is a node's"),
        }
    }

    /// Textures for the parts of a step's kernel that some of its dispatches read.
    fn kernels<'a>(&self, step: usize, dispatches: impl IntoIterator<Item = &'a Dispatch>) -> Result<Kernels> {
        let label = self.label(step);
        let parts: HashSet<_> = dispatches.into_iter().filter_map(|dispatch| dispatch.weights).collect();
        parts.into_iter().map(|part| Ok((part, Texture::new(&self.context, &label, part.size)?))).collect()
    }

    fn launches(&self, step: &Step, weights: &StepWeights, kernels: &Kernels, label: &str) -> Result<Launches> {
        let launch = |dispatch: &Dispatch| self.launch(dispatch, kernels, weights, label);
        let pooled = step.pooled.as_ref().map(|pooled| pooled.iter().map(launch).collect());
        let launches = Launches { own: step.dispatches.iter().map(launch).collect(), pooled };
        self.context.check()?;
        Ok(launches)
    }

    fn launch(&self, dispatch: &Dispatch, kernels: &Kernels, weights: &StepWeights, label: &str) -> Launch {
        let input = dispatch.slots.input.map(|slot| &self.slots[slot]);
        let kernel = dispatch.weights.map(|part| &kernels[&part]);
        let output = &self.slots[dispatch.slots.output];
        let texels = self.texels(dispatch);
        let pipeline = self.context.pipeline(dispatch.shader, dispatch.activation, texels);
        let params = self.uniform(label, &dispatch.params);
        let pitches = (texels != Texels::Textures).then(|| {
            let pitch = |texture: Option<&Texture>| texture.map_or([0, 0], Texture::pitch);
            self.uniform(label, [Some(output), input, kernel].map(pitch).as_flattened())
        });
        let [input, kernel] = [input, kernel].map(|texture| texture.map(Texture::to_read));
        let output = output.to_write(texels);
        let channels = dispatch.shader.reads_channels().then(|| {
            let values = weights.channels(dispatch.weights.map(|part| part.quads));
            self.context.buffer(label, bytemuck::cast_slice(&values), wgpu::BufferUsages::STORAGE)
        });
        let resources = [
            Some(params.as_entire_binding()),
            input.as_ref().map(Binding::resource),
            Some(output.resource()),
            kernel.as_ref().map(Binding::resource),
            channels.as_ref().map(|buffer| buffer.as_entire_binding()),
            self.pixels.as_ref().filter(|_| dispatch.shader == Shader::Preprocess).map(|b| b.as_entire_binding()),
            pitches.as_ref().map(|buffer| buffer.as_entire_binding()),
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

    /// Where a dispatch's shader has texels.
    fn texels(&self, dispatch: &Dispatch) -> Texels {
        self.slots[dispatch.slots.output].texels(self.context.device.limits().max_storage_buffer_binding_size)
    }

    fn uniform(&self, label: &str, words: &[u32]) -> wgpu::Buffer {
        let mut words = words.to_vec();
        // Uniform buffers are whole multiples of 16 bytes.
        words.resize(words.len().next_multiple_of(4), 0);
        self.context.buffer(label, bytemuck::cast_slice(&words), wgpu::BufferUsages::UNIFORM)
    }
}
