//! What every backend offers: batches in, outputs back, in order.

use crate::network::Node;
use crate::{Error, Network, Result, Tensor};

/// The input of one batch: as many samples as its length holds.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// RGB `[n, h, w, 3]`, 0 to 255, for a network that preprocesses ([`Network::preprocess`] is set).
    Pixels(&'a [u8]),
    /// `[n, h, w, c]` or `[n, len]`, ready for the first layer, for a network that does not.
    Values(&'a [f32]),
}

/// A compiled network on one device, its weights loaded and repacked. [`crate::cpu`], [`crate::gpu`] and
/// [`crate::reference`] implement it.
pub trait Executor: Send {
    /// One line that names the device, such as `llvmpipe (LLVM 15.0.6, 256 bits), Vulkan, Mesa 22.3.6`.
    fn device(&self) -> String;

    /// The largest batch that one call takes.
    fn max_batch(&self) -> usize;

    /// Starts a batch of 1 to [`Executor::max_batch`] samples and may return before it is finished. `input` is read
    /// before the call returns.
    fn submit(&mut self, input: Input<'_>) -> Result<()>;

    /// Waits for the oldest batch submitted and not yet collected, and returns the network's output for it.
    fn collect(&mut self) -> Result<Tensor>;

    /// How many batches may be submitted before the oldest must be collected; at least 1.
    fn depth(&self) -> usize {
        1
    }

    /// Runs one batch from start to end.
    fn run(&mut self, input: Input<'_>) -> Result<Tensor> {
        self.submit(input)?;
        self.collect()
    }

    /// Runs one batch and shows `visit` each node's output in turn, for comparing devices layer by layer.
    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()>;
}

/// The batch size asked for, unless it is 0, which is an [`Error::Usage`].
pub(crate) fn requested_batch(batch: Option<usize>) -> Result<Option<usize>> {
    match batch {
        Some(0) => Err(Error::Usage("a batch of 0 images was asked for: ask for at least 1".into())),
        batch => Ok(batch),
    }
}

/// The number of samples in `input`.
///
/// # Panics
/// Where the kind of input, or its length, is not what the network takes, or the batch is not of 1 to `max_batch`
/// samples: a mistake of the calling program.
pub fn batch_len(network: &Network, input: Input<'_>, max_batch: usize) -> usize {
    let (len, pixels) = match input {
        Input::Pixels(pixels) => (pixels.len(), true),
        Input::Values(values) => (values.len(), false),
    };
    let sample = network.input.len();
    assert_eq!(pixels, network.preprocess.is_some(), "pixels go to networks that preprocess, values to the others");
    assert_eq!(len % sample, 0, "{len} values are no whole number of samples of {}", network.input);
    let n = len / sample;
    assert!((1..=max_batch).contains(&n), "a batch of {n} samples; this executor takes 1 to {max_batch}");
    n
}
