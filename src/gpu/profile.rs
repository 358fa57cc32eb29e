//! The time of each step: by the GPU's timestamps, or by waiting for each.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::GpuExecutor;
use crate::executor::Input;
use crate::profile::{Clock, ProfiledStep, Profiler};
use crate::{Error, Result};

/// Timestamps of a step, at its begin and its end.
const STEP_QUERIES: usize = 2;

impl Profiler for GpuExecutor {
    fn clock(&self) -> Clock {
        let has_timestamps = self.context.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let fit = STEP_QUERIES * self.plan().parts().len() <= wgpu::QUERY_SET_MAX_QUERIES as usize;
        if has_timestamps && fit { Clock::Gpu } else { Clock::Host }
    }

    fn steps(&self) -> Vec<ProfiledStep> {
        let step = |steps: Range<usize>| {
            let shaders = Some(self.plan().steps[steps.start].shaders());
            ProfiledStep { nodes: self.nodes_of(steps), shaders }
        };
        self.plan().parts().into_iter().map(step).collect()
    }

    fn profile(&mut self, input: Input<'_>, clock: Clock) -> Result<Vec<Duration>> {
        assert!(self.under_way.is_empty(), "profiling uses the textures of batches under way: collect them first");
        let n = self.upload(input);
        // Steps are timed without the upload.
        self.context.queue.submit([]);
        self.context.wait()?;
        match clock {
            Clock::Gpu => self.timestamps(n),
            Clock::Host => self.plan().parts().into_iter().map(|part| self.wait_for_part(part, n)).collect(),
        }
    }
}

impl GpuExecutor {
    fn wait_for_part(&self, part: Range<usize>, n: usize) -> Result<Duration> {
        let start = Instant::now();
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        self.encode(&mut encoder, self.part(part), n, None);
        self.context.wait_for(self.context.queue.submit([encoder.finish()]))?;
        Ok(start.elapsed())
    }

    /// All steps in one submission, as in a batch that nobody times, but each in a pass of its own.
    fn timestamps(&self, n: usize) -> Result<Vec<Duration>> {
        let (device, queue) = (&self.context.device, &self.context.queue);
        let parts = self.plan().parts();
        let count = (STEP_QUERIES * parts.len()) as u32;
        if count == 0 {
            return Ok(Vec::new());
        }
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("vgg.timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("vgg.timestamps"),
                size: u64::from(count) * u64::from(wgpu::QUERY_SIZE),
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let readback = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = device.create_command_encoder(&Default::default());
        for (part, begin) in parts.into_iter().zip((0..count).step_by(STEP_QUERIES)) {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(begin),
                end_of_pass_write_index: Some(begin + 1),
            };
            self.encode(&mut encoder, self.part(part), n, Some(writes));
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &readback, 0, None);
        let submission = queue.submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.context.wait_for(submission)?;
        let lost = |problem: &dyn std::fmt::Display| Error::Device(format!("cannot read the GPU's clock: {problem}"));
        let mapped = readback.get_mapped_range(..).map_err(|problem| lost(&problem))?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&mapped);
        let nanoseconds = f64::from(queue.get_timestamp_period());
        let time = |step: &[u64]| Duration::from_secs_f64(step[1].saturating_sub(step[0]) as f64 * nanoseconds * 1e-9);
        Ok(ticks.chunks_exact(STEP_QUERIES).map(time).collect())
    }
}
