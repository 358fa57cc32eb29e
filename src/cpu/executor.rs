//! A network compiled for the CPU, and its buffers.

use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::scratch::Scratch;
use super::step::Step;
use crate::executor::{Executor, Input, batch_len, requested_batch};
use crate::network::Node;
use crate::profile::{Clock, ProfiledStep, Profiler};
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
    /// Two buffers take turns: each step reads one and writes the other. They keep the length of the largest map, as to fill
    /// up a vector with zeros that the next step overwrites would take as long as the step.
    buffers: [Scratch; 2],
    scratch: Scratch,
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
        Ok(CpuExecutor {
            network,
            steps,
            pooled,
            max_batch,
            pool,
            buffers: Default::default(),
            scratch: Scratch::default(),
            finished: None,
        })
    }

    /// Copies or preprocesses the batch into the first buffer and returns the number of samples.
    fn load(&mut self, input: Input<'_>) -> usize {
        let n = batch_len(&self.network, input, self.max_batch);
        let [first, _] = &mut self.buffers;
        let loaded = first.values(n * self.network.input.len());
        match (input, &self.network.preprocess) {
            (Input::Values(values), _) => loaded.copy_from_slice(values),
            (Input::Pixels(pixels), Some(preprocess)) => {
                for (values, pixel) in loaded.chunks_exact_mut(3).zip(pixels.chunks_exact(3)) {
                    for (channel, value) in values.iter_mut().enumerate() {
                        *value = preprocess.table[channel][usize::from(pixel[preprocess.source[channel]])];
                    }
                }
            }
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        }
        n
    }

    /// The nodes of each step: of one, or of a convolution and its pool.
    fn node_ranges(&self) -> Vec<Range<usize>> {
        let (mut ranges, mut first) = (Vec::new(), 0);
        while first < self.steps.len() {
            let end = first + 1 + usize::from(self.pooled[first]);
            ranges.push(first..end);
            first = end;
        }
        ranges
    }

    /// Computes a batch into the first buffer and returns the number of samples. `done` is called when the input is loaded,
    /// and after each step.
    fn compute(&mut self, input: Input<'_>, mut done: impl FnMut()) -> usize {
        let n = self.load(input);
        done();
        for nodes in self.node_ranges() {
            self.run(nodes, n);
            done();
        }
        n
    }

    /// The step of `nodes`, from the first buffer to the second, which becomes the first.
    fn run(&mut self, nodes: Range<usize>, n: usize) {
        let CpuExecutor { network, steps, pool, buffers, scratch, .. } = self;
        let (first, last) = (&network.nodes[nodes.start], &network.nodes[nodes.end - 1]);
        let [from, to] = buffers;
        let (from, to) = (from.values(n * first.input.len()), to.values(n * last.output.len()));
        pool.install(|| steps[nodes.start].run(n, from, to, nodes.len() > 1, scratch));
        buffers.swap(0, 1);
    }

    /// What the last step wrote, of shape `shape`.
    fn written(&mut self, n: usize, shape: Shape) -> Tensor {
        Tensor::new(n, shape, self.buffers[0].values(n * shape.len()).to_vec())
    }
}

impl Profiler for CpuExecutor {
    fn clock(&self) -> Clock {
        Clock::Host
    }

    fn steps(&self) -> Vec<ProfiledStep> {
        let input = std::iter::once(0..0);
        input.chain(self.node_ranges()).map(|nodes| ProfiledStep { nodes, shaders: None }).collect()
    }

    fn profile(&mut self, input: Input<'_>, clock: Clock) -> Result<Vec<Duration>> {
        assert_eq!(clock, Clock::Host, "only GPUs have another clock");
        let mut ends = vec![Instant::now()];
        self.compute(input, || ends.push(Instant::now()));
        Ok(ends.windows(2).map(|ends| ends[1] - ends[0]).collect())
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
        let n = self.compute(input, || {});
        let output = self.network.output();
        self.finished = Some(self.written(n, output));
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(self.finished.take().expect("collect without submit"))
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        let n = self.load(input);
        for index in 0..self.steps.len() {
            self.run(index..index + 1, n);
            let written = self.written(n, self.network.nodes[index].output);
            visit(&self.network.nodes[index], written)?;
        }
        Ok(())
    }
}
