//! Whether a GPU that shares its chip with the processor is the faster of the two: with some it is several times as fast, with
//! others several times slower.

use super::{Device, Selected};
use crate::gpu::Adapter;
use crate::gpu::tuner::{TuneMode, cache};
use crate::network::Node;
use crate::plan::Task;
use crate::profile;
use crate::{Error, Input, Network, Result};

/// The CPU is taken where a GPU needs more than so many times its time: a GPU leaves it free for decoding, and what is near a
/// tie is not worth a change.
const MUCH_SLOWER: f64 = 1.5;

/// Samples of a batch, and batches of which the fastest counts.
const SAMPLES: usize = 4;
const ROUNDS: usize = 10;

/// `adapter`, selected for `reason`, or the CPU where that is much faster with the layer of `network` that has the most to
/// compute. What was measured is kept as what [`tune`](crate::gpu::tuner::tune) measures is, so that a run goes on where it
/// began. A GPU that fails while it is measured is told to `notice`, and taken: it may have been a moment's trouble, and a run
/// can leave it.
pub fn gpu_or_cpu(
    adapter: Box<Adapter>,
    reason: String,
    network: &Network,
    mode: TuneMode,
    notice: &mut dyn FnMut(&str),
) -> Result<Selected> {
    let measured = match times_of_cpu(&adapter, network, mode, notice) {
        Err(Error::Device(problem)) => {
            notice(&format!("{} is not compared with the CPU: {problem}", adapter.name()));
            None
        }
        times => times?,
    };
    Ok(match measured {
        Some(times) if times > MUCH_SLOWER => {
            let reason = format!("{} takes {times:.1} times as long", adapter.name());
            Selected { device: Device::Cpu, reason }
        }
        _ => Selected { device: Device::Gpu(adapter), reason },
    })
}

/// How many times the CPU's time the adapter takes: from the user's cache folder, or measured and kept there. None where
/// nothing is known and nothing is to be measured.
fn times_of_cpu(
    adapter: &Adapter,
    network: &Network,
    mode: TuneMode,
    notice: &mut dyn FnMut(&str),
) -> Result<Option<f64>> {
    let Some((node, task)) = most_to_compute(network) else { return Ok(None) };
    if mode == TuneMode::Off {
        return Ok(None);
    }
    let mut kept = cache::read(adapter, notice);
    let known = kept.times_of_cpu.get(&task).copied();
    if mode == TuneMode::Cached || (known.is_some() && mode != TuneMode::Force) {
        return Ok(known);
    }
    let layer = Network { input: node.input, preprocess: None, nodes: vec![node.clone()] };
    let gpu = Device::Gpu(Box::new(adapter.clone()));
    let times = seconds(gpu, &layer)? / seconds(Device::Cpu, &layer)?;
    kept.times_of_cpu.insert(task, times);
    cache::write(adapter, &kept, notice);
    Ok(Some(times))
}

/// The last layer of those with the most operations.
fn most_to_compute(network: &Network) -> Option<(&Node, Task)> {
    let layers = network.nodes.iter().filter_map(|node| Some((node, Task::of(&node.op, node.input)?)));
    layers.max_by_key(|(node, _)| node.op.flops(node.input))
}

/// Of the fastest batch.
fn seconds(device: Device, layer: &Network) -> Result<f64> {
    let mut profiler = device.profiler(layer.clone(), Some(SAMPLES))?;
    let values = vec![0.0; SAMPLES * layer.input.len()];
    let clock = profiler.clock();
    let steps = profile::time_steps(profiler.as_mut(), Input::Values(&values), clock, ROUNDS)?;
    Ok(steps.iter().map(|(_, spread)| spread.min).sum())
}
