//! How long batches and their layers take, for `vgg-wgpu bench` and the benchmarks.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{Executor, Input, Result};

/// At least so long a device works before it is timed: clocks of idle processors are low.
const WARM_UP: Duration = Duration::from_millis(500);

/// Whose clock times the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The GPU's: timestamps around each step, of a batch that runs as any other.
    Gpu,
    /// This computer's. Each step is waited for, so that a GPU's time is longer by a submission and a wait.
    Host,
}

/// What is timed as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfiledStep {
    /// The nodes that it computes: none where it makes the network's input, several where they are fused.
    pub nodes: Range<usize>,
    /// The shaders that run, on a GPU.
    pub shaders: Option<String>,
}

/// An executor that says how long its steps take.
pub trait Profiler: Executor {
    /// The best clock that it has.
    fn clock(&self) -> Clock;

    /// The steps of every batch, in order.
    fn steps(&self) -> Vec<ProfiledStep>;

    /// Runs one batch, without handing out its output, and returns the time of each of [`Profiler::steps`]. No batch may be
    /// under way. [`Clock::Gpu`] may be asked for only where [`Profiler::clock`] says so.
    fn profile(&mut self, input: Input<'_>, clock: Clock) -> Result<Vec<Duration>>;
}

/// The middle of several measurements, and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Of one value or more.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        Spread { median: values[values.len() / 2], min: values[0], max: values[values.len() - 1] }
    }

    /// `quantity` divided by each value: seconds become a rate.
    pub fn rate_of(self, quantity: f64) -> Spread {
        Spread { median: quantity / self.median, min: quantity / self.max, max: quantity / self.min }
    }
}

/// Seconds a batch, once the executor is warm: between the ends of `rounds` batches, with as many under way as the executor
/// takes. `rounds` is at least 1.
pub fn time_batches(executor: &mut dyn Executor, input: Input<'_>, rounds: usize) -> Result<Spread> {
    for _ in 1..executor.depth() {
        executor.submit(input)?;
    }
    let start = Instant::now();
    loop {
        executor.submit(input)?;
        executor.collect()?;
        if start.elapsed() >= WARM_UP {
            break;
        }
    }
    let mut seconds = Vec::new();
    let mut end = Instant::now();
    for _ in 0..rounds {
        executor.submit(input)?;
        executor.collect()?;
        let now = Instant::now();
        seconds.push((now - end).as_secs_f64());
        end = now;
    }
    for _ in 1..executor.depth() {
        executor.collect()?;
    }
    Ok(Spread::of(seconds))
}

/// Each step's seconds in `rounds` batches, after one that does not count. `rounds` is at least 1.
pub fn time_steps(
    profiler: &mut dyn Profiler,
    input: Input<'_>,
    clock: Clock,
    rounds: usize,
) -> Result<Vec<(ProfiledStep, Spread)>> {
    profiler.profile(input, clock)?;
    let steps = profiler.steps();
    let mut seconds = vec![Vec::new(); steps.len()];
    for _ in 0..rounds {
        for (seconds, time) in seconds.iter_mut().zip(profiler.profile(input, clock)?) {
            seconds.push(time.as_secs_f64());
        }
    }
    Ok(steps.into_iter().zip(seconds.into_iter().map(Spread::of)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_the_ends_and_turns_round_as_a_rate() {
        let seconds = Spread::of(vec![4.0, 1.0, 2.0]);
        assert_eq!(seconds, Spread { median: 2.0, min: 1.0, max: 4.0 });
        assert_eq!(seconds.rate_of(8.0), Spread { median: 4.0, min: 2.0, max: 8.0 });
    }
}
