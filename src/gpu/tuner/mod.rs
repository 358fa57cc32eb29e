//! Which method is the fastest on this adapter, for each distinct layer shape, and how many samples are best computed at once:
//! measured, because no data sheet tells.

pub(crate) mod cache;

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::{Adapter, GpuExecutor};
use crate::executor::Executor;
use crate::network::Node;
use crate::ops::{self, Activation, Op, Window};
use crate::plan::{Choices, Method, Plan, Task};
use crate::{Error, Network, Parameter, Result, Shape};

/// When adapters are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TuneMode {
    /// Never, and what was measured before is not used: every method is the predicted one.
    Off,
    /// What was measured before is used, and nothing is measured.
    Cached,
    /// What was not measured before is measured now.
    Auto,
    /// The same, for a run over so many samples: if that takes so long with the predicted methods that measuring pays.
    AutoFor(usize),
    /// Everything is measured anew.
    Force,
}

/// The time that all measurements of a network may take, without compiling; what is left then takes the method that was the
/// fastest for the last layer with the same choice, or the predicted one where there is none.
pub const BUDGET: Duration = Duration::from_secs(5);

/// A run that is predicted to be over sooner is not worth it: measuring and compiling take as long as they save in it.
const WORTH: Duration = Duration::from_secs(100);

/// A method that is so many times slower than another on a small layer, and so many seconds, is not tried on the large ones.
/// GPUs take far less for such a layer, and try everything.
const HOPELESS: f64 = 1.5;
const HOPELESS_SECONDS: f64 = 5e-4;

/// Nor is another tile tried of a kind of method that is so many times slower than another on the same layer.
const HOPELESS_KIND: f64 = 3.0;

/// Nor does a method run again that is so many times slower than another, where a run is longer than [`LONG_BATCH`]; nor with
/// many samples, where a single one takes so much longer than as many of the other.
const HOPELESS_RUN: f64 = 2.0;

/// A batch that takes longer than this, in seconds, is measured by half of it, or less.
const LONG_BATCH: f64 = 0.1;

/// Runs of each of two methods, of which the fastest counts, and the seconds after which no more are begun: whatever else the
/// machine does makes a run slower, never faster. They take turns, because it does so for seconds.
const RUNS: usize = 3;
const LONG_RUNS: f64 = 2.2 * LONG_BATCH;

/// The most samples of a batch that is tried: an H200 computes 14 % more images/s in batches of 32 than of 8, of 64 1 % more.
const MOST_SAMPLES: usize = 32;

/// A batch that takes so many times the time of another for a sample is as good, and needs less memory.
const AS_GOOD: f64 = 1.02;

/// What was found out about one method for one layer shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The first layer of this shape.
    pub layer: String,
    /// The method.
    pub method: Method,
    /// Seconds a sample, when it ran in turns with another, the last time; none where it was not tried, because it is hopeless
    /// or time was up.
    pub seconds: Option<f64>,
    /// Whether it is the one taken.
    pub chosen: bool,
}

/// What was measured, and what follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tuning {
    /// The methods to plan with.
    pub choices: Choices,
    /// The batch to plan for, where it was measured: none was asked for, and the adapter is hardware.
    pub batch: Option<usize>,
    /// In the order of the network's layers; empty where nothing was measured now.
    pub trials: Vec<Trial>,
}

/// The choices for `network` on `adapter` in batches of `batch` samples, or of the plan's own size: from the user's cache
/// folder, or measured and kept there. Problems with the cache are told to `notice`, and cost no more than measuring again;
/// a device that fails is an [`Error::Device`](crate::Error::Device). The size of batches is measured each time, because it
/// depends on the memory that is free.
pub fn tune(
    adapter: &Adapter,
    network: &Network,
    batch: Option<usize>,
    mode: TuneMode,
    notice: &mut dyn FnMut(&str),
) -> Result<Tuning> {
    if mode == TuneMode::Off {
        return Ok(Tuning::default());
    }
    let mut kept = cache::read(adapter, notice);
    let known = if mode == TuneMode::Force { Choices::default() } else { kept.choices.clone() };
    let is_known = |node: &Node| Task::of(&node.op, node.input).is_none_or(|task| known.0.contains_key(&task));
    let all_known = network.nodes.iter().all(is_known);
    let tries_batches = batch.is_none() && adapter.limits().is_hardware;
    if mode == TuneMode::Cached || all_known && !tries_batches {
        return Ok(Tuning { choices: known, ..Tuning::default() });
    }
    let mut tuner = Tuner::open(adapter, network, batch)?;
    let mut tuning = Tuning { choices: known, ..Tuning::default() };
    let (mut seconds, is_worth_it) = match mode {
        TuneMode::AutoFor(samples) => {
            let seconds = tuner.seconds(network, &tuning.choices)?;
            (Some(seconds), seconds * samples as f64 >= WORTH.as_secs_f64())
        }
        _ => (None, true),
    };
    if is_worth_it && !all_known {
        tuning = tuner.run(network, tuning.choices)?;
        kept.choices = tuning.choices.clone();
        cache::write(adapter, &kept, notice);
        // With other methods it takes another time.
        seconds = None;
    }
    if tries_batches {
        let seconds = seconds.map_or_else(|| tuner.seconds(network, &tuning.choices), Ok)?;
        tuning.batch = tuner.best_batch(network, &tuning.choices, seconds, notice)?;
    }
    Ok(tuning)
}

struct Tuner<'a> {
    adapter: &'a Adapter,
    context: Arc<Context>,
    batch: usize,
    deadline: Instant,
    /// Seconds of each kind of method on a small layer.
    probes: HashMap<Method, f64>,
    /// The method taken for the last layer that had the choice of these.
    latest: HashMap<Vec<Method>, Method>,
}

impl<'a> Tuner<'a> {
    fn open(adapter: &'a Adapter, network: &Network, batch: Option<usize>) -> Result<Tuner<'a>> {
        let batch = adapter.plan(network, batch)?.batch;
        let (context, deadline) = (adapter.context()?, Instant::now() + BUDGET);
        Ok(Tuner { adapter, context, batch, deadline, probes: HashMap::new(), latest: HashMap::new() })
    }

    /// What a sample of the whole network takes with what is known, by itself: in a batch it takes somewhat less.
    fn seconds(&mut self, network: &Network, known: &Choices) -> Result<f64> {
        let start = Instant::now();
        let executor = self.whole(network, known, self.batch)?;
        executor.time(1)?;
        let seconds = executor.time(1)?;
        self.deadline += start.elapsed();
        Ok(seconds)
    }

    /// The whole network, for batches of up to `most`.
    fn whole(&self, network: &Network, choices: &Choices, most: usize) -> Result<GpuExecutor> {
        let plan = Plan::up_to(most, network, &self.adapter.limits(), choices)?;
        GpuExecutor::without_weights(Arc::clone(&self.context), network.clone(), plan)
    }

    /// The batch that takes the least time for a sample: the plan's own, or twice as large and so on, as long as there is memory
    /// for it and it is no [`LONG_BATCH`], at so many `seconds` a sample. None where only the plan's own may be.
    fn best_batch(
        &self,
        network: &Network,
        choices: &Choices,
        seconds: f64,
        notice: &mut dyn FnMut(&str),
    ) -> Result<Option<usize>> {
        let own = self.batch;
        let sizes = |most| iter::successors(Some(own), |n| Some(2 * n)).take_while(move |&n| n <= most);
        let most = (LONG_BATCH / seconds).min(MOST_SAMPLES as f64) as usize;
        let Some(most) = sizes(most).last().filter(|&n| n > own) else { return Ok(None) };
        let executor = match self.whole(network, choices, most) {
            Err(Error::Device(problem)) => {
                notice(&format!("batches of more than {own} are not tried: {problem}"));
                return Ok(None);
            }
            executor => executor?,
        };
        touch(&executor, executor.max_batch())?;
        let mut times: Vec<_> = sizes(executor.max_batch()).map(|n| (n, f64::INFINITY)).collect();
        for _ in 0..RUNS {
            for (n, seconds) in &mut times {
                *seconds = seconds.min(executor.time(*n)? / *n as f64);
            }
        }
        let fastest = times.iter().map(|&(_, seconds)| seconds).fold(f64::INFINITY, f64::min);
        Ok(times.into_iter().find(|&(_, seconds)| seconds <= AS_GOOD * fastest).map(|(n, _)| n))
    }

    fn run(&mut self, network: &Network, known: Choices) -> Result<Tuning> {
        let mut trials = Vec::new();
        let mut measured = Choices::for_network(network, &self.adapter.limits(), |node, methods| {
            let task = Task::of(&node.op, node.input);
            if let Some(&method) = task.and_then(|task| known.0.get(&task)) {
                return Ok(method);
            }
            let (best, seconds) = self.best(node, methods)?;
            trials.extend(methods.iter().zip(seconds).map(|(&method, seconds)| {
                let (layer, chosen) = (node.layer.clone(), method == best);
                Trial { layer, method, seconds, chosen }
            }));
            Ok(best)
        })?;
        // And those of other networks on this adapter.
        measured.0.extend(known.0);
        Ok(Tuning { choices: measured, batch: None, trials })
    }

    /// The fastest of `methods` for a node, and the seconds a sample of each.
    fn best(&mut self, node: &Node, methods: &[Method]) -> Result<(Method, Vec<Option<f64>>)> {
        let mut all = vec![None; methods.len()];
        // The first is the predicted one, and measured whatever the probe says of it: that may look unlike the layer.
        let (mut best, mut executor) = (0, self.executor(node, methods[0])?);
        let (n, mut fastest) = self.samples(&executor, self.least_samples(node, methods))?;
        all[best] = Some(fastest);
        let mut kinds = HashMap::from([(methods[best].kind(), fastest)]);
        for (index, &method) in methods.iter().enumerate().skip(1) {
            if Instant::now() > self.deadline {
                // Nothing says that it is another here.
                if self.latest.get(methods) == Some(&method) {
                    best = index;
                }
                continue;
            }
            let is_skipped = kinds.get(&method.kind()).is_some_and(|&seconds| seconds > HOPELESS_KIND * fastest)
                || self.is_hopeless(node, method, methods)?;
            if is_skipped {
                continue;
            }
            let other = self.executor(node, method)?;
            let [seconds, of_best] = compare(&other, &executor, fastest, n)?;
            (all[index], all[best]) = (Some(seconds), Some(of_best));
            kinds.insert(method.kind(), seconds);
            fastest = of_best;
            if seconds < of_best {
                (best, executor, fastest) = (index, other, seconds);
            }
        }
        self.latest.insert(methods.to_vec(), methods[best]);
        Ok((methods[best], all))
    }

    /// Of which the time of each method can be told.
    fn least_samples(&self, node: &Node, methods: &[Method]) -> usize {
        let least = match node.op {
            // A dense layer's time is its weights', which are read once for a batch.
            Op::Dense(_) => self.batch,
            _ => methods.iter().map(|method| method.least_samples(node.output)).max().unwrap_or(1),
        };
        least.min(self.batch)
    }

    /// Whether a method of this kind is much slower than another of `methods` on a layer so small that it cannot hurt.
    fn is_hopeless(&mut self, node: &Node, method: Method, methods: &[Method]) -> Result<bool> {
        let mut fastest = f64::INFINITY;
        for kind in methods.iter().map(|method| method.kind()) {
            fastest = fastest.min(self.probe(node, kind)?);
        }
        let seconds = self.probe(node, method.kind())?;
        Ok(seconds > HOPELESS * fastest && seconds > fastest + HOPELESS_SECONDS)
    }

    fn probe(&mut self, node: &Node, kind: Method) -> Result<f64> {
        if let Some(&seconds) = self.probes.get(&kind) {
            return Ok(seconds);
        }
        let executor = self.executor(&small(&node.op), kind)?;
        let mut seconds = f64::INFINITY;
        for _ in 0..RUNS {
            seconds = seconds.min(executor.time(1)?);
        }
        self.probes.insert(kind, seconds);
        Ok(seconds)
    }

    /// A node's method, compiled. Shaders are compiled when they are made or first run; of the budget that takes nothing,
    /// because it lasts.
    fn executor(&mut self, node: &Node, method: Method) -> Result<GpuExecutor> {
        let start = Instant::now();
        let network = Network { input: node.input, preprocess: None, nodes: vec![node.clone()] };
        let mut choices = Choices::default();
        choices.0.extend(Task::of(&node.op, node.input).map(|task| (task, method)));
        let plan = Plan::with_choices(&network, &self.adapter.limits(), Some(self.batch), &choices)?;
        let executor = GpuExecutor::without_weights(Arc::clone(&self.context), network, plan)?;
        executor.time(1)?;
        self.deadline += start.elapsed();
        Ok(executor)
    }

    /// At least `least` samples of a batch, and as many as [`LONG_BATCH`] has time for: halves of halves of it, because that
    /// keeps whole the blocks of tiles that a batch fills. And the seconds for each.
    fn samples(&self, executor: &GpuExecutor, least: usize) -> Result<(usize, f64)> {
        let mut sizes: Vec<_> = iter::successors(Some(self.batch), |n| Some(n / 2).filter(|&n| n >= least)).collect();
        let mut taken = sizes.pop().unwrap_or(self.batch);
        loop {
            touch(executor, taken)?;
            let seconds = executor.time(taken)? / taken as f64;
            match sizes.pop() {
                Some(n) if seconds * n as f64 <= LONG_BATCH => taken = n,
                _ => return Ok((taken, seconds)),
            }
        }
    }
}

/// The first run is the first to touch the memory of so many samples; that of one was when shaders were compiled.
fn touch(executor: &GpuExecutor, n: usize) -> Result<()> {
    if n > 1 {
        executor.time(n)?;
    }
    Ok(())
}

/// Seconds a sample, with `n` of them, of a method and of the best until now, which took `fastest` before.
fn compare(executor: &GpuExecutor, best: &GpuExecutor, fastest: f64, n: usize) -> Result<[f64; 2]> {
    if n > 1 {
        let of_one = executor.time(1)?;
        if of_one > LONG_BATCH.max(HOPELESS_RUN * fastest * n as f64) {
            return Ok([of_one, fastest]);
        }
        touch(executor, n)?;
    }
    let [mut seconds, mut of_best] = [f64::INFINITY; 2];
    let start = Instant::now();
    for _ in 0..RUNS {
        seconds = seconds.min(executor.time(n)? / n as f64);
        of_best = of_best.min(best.time(n)? / n as f64);
        let is_hopeless = seconds > HOPELESS_RUN * of_best && seconds * n as f64 > LONG_BATCH;
        if is_hopeless || start.elapsed().as_secs_f64() > LONG_RUNS {
            break;
        }
    }
    Ok([seconds, of_best])
}

/// A node of the same kind with just enough to do that a method shows what it is: 29 or 4 million operations.
fn small(op: &Op) -> Node {
    let parameter = |shape: Vec<usize>| Parameter::in_memory("kernel", shape, Vec::new());
    let (op, input) = match op {
        Op::Dense(_) => {
            let (inputs, units, kernel) = (2048, 1024, parameter(vec![2048, 1024]));
            let op = ops::Dense { inputs, units, activation: Activation::Linear, kernel, bias: None, batch_norm: None };
            (Op::Dense(op), Shape::Vector(inputs))
        }
        _ => {
            let (side, c_in, c_out) = (28, 32, 64);
            let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1], output: [side, side] };
            let kernel = parameter(vec![3, 3, c_in, c_out]);
            let activation = Activation::Linear;
            let op = ops::Conv2d { window, c_in, c_out, activation, kernel, bias: None, batch_norm: None };
            (Op::Conv2d(op), Shape::Map { h: side, w: side, c: c_in })
        }
    };
    Node { layer: "probe".into(), output: op.output_shape(input), op, input }
}
