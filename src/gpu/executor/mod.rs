//! A plan on a device: textures, pipelines and bind groups made once; one encoder and one submission a batch.

mod prepare;
mod readback;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use readback::Readback;

use super::Adapter;
use super::context::Context;
use super::guard;
use super::texture::{self, Texture};
use super::weights::StepWeights;
use crate::executor::{Executor, Input, batch_len};
use crate::network::Node;
use crate::plan::{Dispatch, Plan, Slot, Texels};
use crate::{Network, Result, Tensor};

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
    /// What outputs come back by, one for each batch under way.
    readbacks: [Readback; DEPTH],
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
        let mut executor = GpuExecutor::unprepared(network, plan, adapter.context()?, adapter.describe(), guard)?;
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
        let submissions = if context.submits_parts { plan.parts().len() } else { 0 };
        let readbacks = [(); DEPTH].map(|()| Readback::new(&context, plan.output().0, plan.batch, submissions));
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
        for (slot, planned) in self.slots.iter().zip(&self.plan.slots) {
            if !guard::holds(&self.context, slot, planned.size)? {
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
                let slot = &self.slots[self.plan.input_slot];
                for (layer, texels) in texels.chunks_exact(layout.width * layout.height * 4).enumerate() {
                    slot.write_layer(&self.context, layer, layout.width, texels);
                }
            }
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        }
        n
    }

    /// Submits the parts of a batch one by one.
    fn submit_parts(&self, readback: &Readback, n: usize) {
        for (index, steps) in self.plan.parts().into_iter().enumerate() {
            let mut encoder = self.context.encoder();
            self.encode(&mut encoder, self.part(steps), n, None);
            readback.mark(&mut encoder, index);
            self.context.queue.submit([encoder.finish()]);
        }
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
}

/// The textures of a plan, larger by `guard`.
fn slots(plan: &Plan, context: &Context, guard: usize) -> Result<Vec<Texture>> {
    if guard == 0 && context.texels == Texels::Buffers {
        let memories = plan.memories().into_iter().map(|bytes| texture::buffer(context, SLOT, bytes));
        let memories: Vec<_> = memories.collect();
        return Ok(plan.slots.iter().map(|slot| Texture::within(&memories[slot.memory], slot.size)).collect());
    }
    // Each for itself: what is in one spoils no other's guard.
    let slot = |planned: &Slot| {
        let slot = Texture::new(context, SLOT, guard::around(planned.size, guard))?;
        if guard > 0 {
            guard::fill(context, &slot);
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
        // Features would wait until the next batch is computed, too.
        if self.context.computes_when_submitted { 1 } else { DEPTH }
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        assert!(self.under_way.len() < DEPTH, "{DEPTH} batches are under way: collect the oldest first");
        let n = self.upload(input);
        let readback = self.submitted % DEPTH;
        self.readbacks[readback].begin(&self.context);
        let mut encoder = self.context.encoder();
        if self.context.submits_parts {
            self.submit_parts(&self.readbacks[readback], n);
        } else {
            self.encode(&mut encoder, self.batch(), n, None);
        }
        let slot = &self.slots[self.plan.output().1];
        let submission = self.readbacks[readback].submit(&self.context, encoder, slot, n);
        self.under_way.push_back(UnderWay { n, readback, submission });
        self.submitted += 1;
        self.context.check()
    }

    fn collect(&mut self) -> Result<Tensor> {
        let UnderWay { n, readback, submission } = self.under_way.pop_front().expect("collect without submit");
        // Only for this batch: the next one goes on computing.
        self.context.wait_for(submission)?;
        self.readbacks[readback].read(n)
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        assert!(self.under_way.is_empty(), "a trace uses the textures of batches under way: collect them first");
        let n = self.upload(input);
        for (index, step) in self.plan.steps.iter().enumerate() {
            let mut encoder = self.context.encoder();
            self.encode(&mut encoder, &self.steps[index].own, n, None);
            let mut readback = Readback::new(&self.context, step.output, n, 0);
            readback.begin(&self.context);
            let submission = readback.submit(&self.context, encoder, &self.slots[step.output_slot], n);
            self.context.wait_for(submission)?;
            let output = readback.read(n)?;
            if let Some(node) = self.network.nodes[self.nodes_of(index..index + 1)].first() {
                visit(node, output)?;
            }
        }
        Ok(())
    }
}
