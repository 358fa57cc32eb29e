//! What happens when a GPU fails in the middle of a run: it is opened anew for smaller batches, and in the end the CPU
//! takes over. Nothing is computed twice and handed out twice, nothing is lost.

use std::collections::VecDeque;
use std::ops::Range;

use crate::device::Device;
use crate::executor::{Executor, Input};
use crate::gpu;
use crate::network::Node;
use crate::{Error, Network, Result, Tensor};

/// Where a network runs, and in batches of what size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the GPU.
    Gpu { batch: usize },
    /// On the CPU, in batches of whatever size it is given.
    Cpu,
}

impl Place {
    /// Where to go from here: a GPU that failed may have had too little memory, or may have been reset.
    fn below(self) -> Option<Place> {
        match self {
            Place::Gpu { batch: 1 } => Some(Place::Cpu),
            Place::Gpu { batch } => Some(Place::Gpu { batch: batch / 2 }),
            Place::Cpu => None,
        }
    }
}

/// Compiles the network for a place.
pub type Make = Box<dyn FnMut(Place) -> Result<Box<dyn Executor>> + Send>;

/// Is told in one line what failed and where the run goes on.
pub type Notice = Box<dyn FnMut(&str) + Send>;

/// An executor that outlives its device. It keeps each batch's input until the output is there, and computes it again
/// elsewhere where a device fails. Only where the CPU fails too, or an error is not the device's, is the error returned.
pub struct FallbackExecutor {
    sample_len: usize,
    make: Make,
    notice: Notice,
    place: Place,
    /// None after an error that ended it.
    executor: Option<Box<dyn Executor>>,
    /// All that have computed, for [`Executor::device`].
    devices: Vec<String>,
    max_batch: usize,
    depth: usize,
    /// Submitted to this and not yet collected, oldest first.
    pending: VecDeque<Batch>,
    /// How many of the oldest are under way in `executor`; the others wait until they are collected.
    under_way: usize,
}

impl FallbackExecutor {
    /// Compiles `network` for `device`; `batch` asks for a batch size instead of the device's own choice.
    pub fn open(device: Device, network: Network, batch: Option<usize>, notice: Notice) -> Result<FallbackExecutor> {
        let sample_len = network.input.len();
        match device {
            Device::Cpu => {
                let make = move |_| Device::Cpu.executor(network.clone(), batch);
                FallbackExecutor::new(sample_len, Place::Cpu, Box::new(make), notice)
            }
            Device::Gpu(adapter) => {
                let batch = match adapter.plan(&network, batch) {
                    // It is an error again where it is opened, and then there is somewhere else to go on.
                    Err(Error::Device(_)) => batch.unwrap_or(1),
                    plan => plan?.batch,
                };
                let (name, choices) = (adapter.describe(), adapter.choices().clone());
                let mut first = Some(*adapter);
                let make = move |place| match place {
                    Place::Cpu => Device::Cpu.executor(network.clone(), None),
                    Place::Gpu { batch } => {
                        let again = || gpu::adapters().into_iter().find(|adapter| adapter.describe() == name);
                        let adapter = first.take().or_else(again);
                        let adapter = adapter.ok_or_else(|| Error::Device(format!("{name} is gone")))?;
                        let adapter = adapter.with_choices(choices.clone());
                        Device::Gpu(Box::new(adapter)).executor(network.clone(), Some(batch))
                    }
                };
                FallbackExecutor::new(sample_len, Place::Gpu { batch }, Box::new(make), notice)
            }
        }
    }

    /// Begins at `place` with what `make` compiles, for samples of `sample_len` values.
    pub fn new(sample_len: usize, place: Place, make: Make, notice: Notice) -> Result<FallbackExecutor> {
        let mut fallback = FallbackExecutor {
            sample_len,
            make,
            notice,
            place,
            executor: None,
            devices: Vec::new(),
            max_batch: 0,
            depth: 0,
            pending: VecDeque::new(),
            under_way: 0,
        };
        match fallback.begin() {
            Err(Error::Device(problem)) => fallback.step_down(problem)?,
            other => other?,
        }
        let executor = fallback.running()?;
        (fallback.max_batch, fallback.depth) = (executor.max_batch(), executor.depth());
        Ok(fallback)
    }

    fn running(&mut self) -> Result<&mut Box<dyn Executor>> {
        self.executor.as_mut().ok_or_else(nothing_left)
    }

    fn begin(&mut self) -> Result<()> {
        let executor = (self.make)(self.place)?;
        let device = executor.device();
        if self.devices.last() != Some(&device) {
            self.devices.push(device);
        }
        self.executor = Some(executor);
        Ok(())
    }

    /// Leaves a device for the next place that works.
    fn step_down(&mut self, mut problem: String) -> Result<()> {
        // First: its memory may be what the next one needs.
        self.executor = None;
        self.under_way = 0;
        while let Some(place) = self.place.below() {
            let next = match place {
                Place::Gpu { batch } => format!("with the GPU opened anew, in batches of {batch}"),
                Place::Cpu => "on the CPU".to_owned(),
            };
            (self.notice)(&format!("{problem}. Going on {next}"));
            self.place = place;
            match self.begin() {
                Err(Error::Device(again)) => problem = again,
                other => return other,
            }
        }
        Err(Error::Device(problem))
    }

    /// The oldest batch's output, from where it is under way, or computed now in parts that fit.
    fn oldest(&mut self) -> Result<Tensor> {
        let executor = self.executor.as_mut().ok_or_else(nothing_left)?;
        if self.under_way > 0 {
            let output = executor.collect()?;
            self.under_way -= 1;
            return Ok(output);
        }
        let batch = self.pending.front().expect("collect without submit");
        let (mut data, mut shape) = (Vec::new(), None);
        for first in (0..batch.n).step_by(executor.max_batch()) {
            let output = executor.run(batch.part(first..batch.n.min(first + executor.max_batch())))?;
            shape = Some(output.shape);
            data.extend(output.data);
        }
        Ok(Tensor::new(batch.n, shape.expect("a batch has samples"), data))
    }
}

fn nothing_left() -> Error {
    Error::Device("no device is left to compute on".into())
}

/// A batch that owns its input.
struct Batch {
    n: usize,
    sample_len: usize,
    samples: Samples,
}

enum Samples {
    Pixels(Vec<u8>),
    Values(Vec<f32>),
}

impl Batch {
    fn new(input: Input<'_>, sample_len: usize) -> Batch {
        let (len, samples) = match input {
            Input::Pixels(pixels) => (pixels.len(), Samples::Pixels(pixels.to_vec())),
            Input::Values(values) => (values.len(), Samples::Values(values.to_vec())),
        };
        Batch { n: len / sample_len, sample_len, samples }
    }

    fn part(&self, samples: Range<usize>) -> Input<'_> {
        let range = samples.start * self.sample_len..samples.end * self.sample_len;
        match &self.samples {
            Samples::Pixels(pixels) => Input::Pixels(&pixels[range]),
            Samples::Values(values) => Input::Values(&values[range]),
        }
    }
}

impl Executor for FallbackExecutor {
    fn device(&self) -> String {
        self.devices.join(", then ")
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        let none_waits = self.under_way == self.pending.len();
        let batch = Batch::new(input, self.sample_len);
        let n = batch.n;
        self.pending.push_back(batch);
        let executor = self.running()?;
        if !none_waits || n > executor.max_batch() {
            return Ok(());
        }
        match executor.submit(input) {
            Ok(()) => self.under_way += 1,
            Err(Error::Device(problem)) => self.step_down(problem)?,
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        loop {
            match self.oldest() {
                Err(Error::Device(problem)) => self.step_down(problem)?,
                Err(other) => return Err(other),
                Ok(output) => {
                    self.pending.pop_front();
                    return Ok(output);
                }
            }
        }
    }

    /// A device that fails ends it: a trace compares devices, and must not change them.
    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        self.running()?.trace(input, visit)
    }
}
