//! A network compiled for the CPU, and its buffers.

use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::Instant;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::step::Step;
use crate::executor::{Executor, Input, batch_len, requested_batch};
use crate::network::Node;
use crate::profile::{Clock, Profiler, StepTime};
use crate::{Error, Network, Result, Shape, Tensor};

/// Samples in a batch where none is asked for: enough to read the dense layers' weights once for many images, few enough
/// that VGG16's largest maps stay small beside its weights.
const DEFAULT_BATCH: usize = 8;

/// Runs a [`Network`] on the CPU. Weights are read and repacked once, when it is made.
pub struct CpuExecutor {
    network: Network,
    /// One for each node.
    steps: Vec<Step>,
    /// Whether a node's step also computes the pool that follows it, where nobody wants to see what is between.
    pooled: Vec<bool>,
    max_batch: usize,
    pool: ThreadPool,
    /// Two buffers take turns: each step reads one and writes the other.
    buffers: [Vec<f32>; 2],
    finished: Option<Tensor>,
}

impl CpuExecutor {
    /// Compiles `network` for `threads` threads (by default as many as the machine offers) and batches of up to `batch`
    /// samples. Errors are a batch of 0, those of reading the weights, and of a system that starts no threads.
    pub fn new(network: Network, threads: Option<usize>, batch: Option<usize>) -> Result<CpuExecutor> {
        let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get));
        let pool =
            ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("cpu-{index}")).build().map_err(
                |problem| Error::Device(format!("cannot start {threads} threads: {problem}; ask for fewer")),
            )?;
        // One thread reads a layer's weights while others repack another's. Of several errors the first layer's counts.
        let compile = |node: &Node| Step::compile(&node.op, node.input);
        let compiled: Vec<Result<Step>> = pool.install(|| network.nodes.par_iter().map(compile).collect());
        let steps = compiled.into_iter().collect::<Result<Vec<_>>>()?;
        let next = network.nodes.iter().skip(1).map(|node| Some(&node.op)).chain([None]);
        let pooled =
            steps.iter().zip(next).map(|(step, next)| next.is_some_and(|next| step.takes_pool(next))).collect();
        let max_batch = requested_batch(batch)?.unwrap_or(DEFAULT_BATCH);
        Ok(CpuExecutor { network, steps, pooled, max_batch, pool, buffers: Default::default(), finished: None })
    }

    /// Copies or preprocesses the batch into the first buffer and returns the number of samples.
    fn load(&mut self, input: Input<'_>) -> usize {
        let n = batch_len(&self.network, input, self.max_batch);
        let [first, _] = &mut self.buffers;
        first.clear();
        match (input, &self.network.preprocess) {
            (Input::Values(values), _) => first.extend_from_slice(values),
            (Input::Pixels(pixels), Some(preprocess)) => {
                for pixel in pixels.chunks_exact(3) {
                    let value =
                        |channel: usize| preprocess.table[channel][usize::from(pixel[preprocess.source[channel]])];
                    first.extend([value(0), value(1), value(2)]);
                }
            }
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        }
        n
    }

    /// Computes a batch into the first buffer and returns the number of samples. After each step `done` is told which
    /// nodes it computed: none when the input is loaded.
    fn compute(&mut self, input: Input<'_>, mut done: impl FnMut(Range<usize>)) -> usize {
        let n = self.load(input);
        done(0..0);
        let mut nodes = self.network.nodes.iter().enumerate();
        while let Some((index, node)) = nodes.next() {
            let pool = self.pooled[index].then(|| nodes.next()).flatten();
            let (last, output) = pool.map_or((index, node.output), |(last, pool)| (last, pool.output));
            run(&self.pool, &self.steps[index], output, pool.is_some(), n, &mut self.buffers);
            done(index..last + 1);
        }
        n
    }
}

impl Profiler for CpuExecutor {
    fn clock(&self) -> Clock {
        Clock::Host
    }

    fn profile(&mut self, input: Input<'_>, clock: Clock) -> Result<Vec<StepTime>> {
        assert_eq!(clock, Clock::Host, "only GPUs have another clock");
        let (mut steps, mut start) = (Vec::new(), Instant::now());
        self.compute(input, |nodes| {
            let end = Instant::now();
            steps.push(StepTime { nodes, time: end - start });
            start = end;
        });
        Ok(steps)
    }
}

impl Executor for CpuExecutor {
    fn device(&self) -> String {
        format!("CPU, {} threads", self.pool.current_num_threads())
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        let n = self.compute(input, |_| {});
        let output = self.network.output();
        self.finished = Some(Tensor::new(n, output, self.buffers[0].clone()));
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(self.finished.take().expect("collect without submit"))
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        let n = self.load(input);
        for (step, node) in self.steps.iter().zip(&self.network.nodes) {
            run(&self.pool, step, node.output, false, n, &mut self.buffers);
            visit(node, Tensor::new(n, node.output, self.buffers[0].clone()))?;
        }
        Ok(())
    }
}

/// One step from the first buffer to the second, which becomes the first; with the pool behind it where `pooled`.
fn run(pool: &ThreadPool, step: &Step, output: Shape, pooled: bool, n: usize, buffers: &mut [Vec<f32>; 2]) {
    let [from, to] = buffers;
    // Every step writes all of its output, so what the buffer held before need not be cleared.
    to.resize(n * output.len(), 0.0);
    pool.install(|| step.run(n, from, to, pooled));
    buffers.swap(0, 1);
}
