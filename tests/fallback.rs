//! A device that fails: the run goes on elsewhere, and every batch is handed out once and in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use vgg_wgpu::fallback::{FallbackExecutor, Place};
use vgg_wgpu::{Error, Executor, Input, Node, Result, Shape, Tensor};

/// Doubles its input, one value a sample, and fails when its work is used up: at a submit or, later, at a collect.
struct Fragile {
    place: Place,
    calls_left: usize,
    outputs: VecDeque<Tensor>,
}

impl Fragile {
    fn use_up(&mut self) -> Result<()> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or_else(|| Error::Device("it broke".into()))?;
        Ok(())
    }
}

impl Executor for Fragile {
    fn device(&self) -> String {
        format!("{:?}", self.place)
    }

    fn max_batch(&self) -> usize {
        match self.place {
            Place::Gpu { batch } => batch,
            Place::Cpu => 3,
        }
    }

    fn depth(&self) -> usize {
        2
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Values(values) = input else { panic!("values are submitted") };
        assert!(values.len() <= self.max_batch() && self.outputs.len() < self.depth());
        self.use_up()?;
        let doubled = values.iter().map(|value| 2.0 * value).collect();
        self.outputs.push_back(Tensor::new(values.len(), Shape::Vector(1), doubled));
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        self.use_up()?;
        Ok(self.outputs.pop_front().expect("something was submitted"))
    }

    fn trace(&mut self, _: Input<'_>, _: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        unreachable!("nothing is traced")
    }
}

/// Runs 40 values in batches of 8, two under way, on GPUs that do `calls` calls each and a CPU that does `cpu_calls`;
/// returns the values and what was told on the way.
fn run(calls: usize, cpu_calls: usize) -> (Result<Vec<f32>>, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notices = told.clone();
    let make = move |place| {
        let calls_left = if place == Place::Cpu { cpu_calls } else { calls };
        Ok(Box::new(Fragile { place, calls_left, outputs: VecDeque::new() }) as Box<dyn Executor>)
    };
    let notice = move |line: &str| notices.lock().unwrap().push(line.to_owned());
    let mut executor =
        FallbackExecutor::new(1, Place::Gpu { batch: 8 }, Box::new(make), Box::new(notice)).expect("it begins");
    let mut all = || {
        let (mut features, mut under_way) = (Vec::new(), 0);
        for batch in (0..40).collect::<Vec<_>>().chunks(8) {
            if under_way == executor.depth() {
                features.extend(executor.collect()?.data);
                under_way -= 1;
            }
            let values: Vec<f32> = batch.iter().map(|&value| value as f32).collect();
            executor.submit(Input::Values(&values))?;
            under_way += 1;
        }
        for _ in 0..under_way {
            features.extend(executor.collect()?.data);
        }
        Ok(features)
    };
    let features = all();
    let told = told.lock().unwrap().clone();
    (features, told)
}

#[test]
fn whenever_a_gpu_fails_every_batch_comes_out_once_and_in_order() {
    let expected: Vec<f32> = (0..40).map(|value| 2.0 * value as f32).collect();
    for calls in 0..12 {
        let (features, told) = run(calls, usize::MAX);
        assert_eq!(features.unwrap(), expected, "after {calls} calls");
        assert_eq!(told.is_empty(), calls >= 10, "after {calls} calls: {told:?}");
    }
}

#[test]
fn batches_shrink_before_the_cpu_takes_over() {
    let (_, told) = run(0, usize::MAX);
    let ends: Vec<&str> = told.iter().map(|line| line.rsplit("Going on ").next().unwrap()).collect();
    let anew = "with the GPU opened anew, in batches of";
    assert_eq!(ends, [format!("{anew} 4"), format!("{anew} 2"), format!("{anew} 1"), "on the CPU".to_owned()]);
    assert!(told.iter().all(|line| line.contains("it broke")), "{told:?}");
}

#[test]
fn where_the_cpu_fails_too_the_error_is_the_callers() {
    let (features, _) = run(3, 3);
    assert!(matches!(features, Err(Error::Device(problem)) if problem.contains("it broke")));
}
