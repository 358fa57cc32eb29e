//! Every op, at many sizes, on every backend, against the plain f64 reference.
//!
//! A test is named after its backend and case: `cargo test --test ops cpu/conv2d/3x3_same`.

mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::backends::{Backend, backends};
use support::cases::{self, Case};
use support::compare::{Tolerance, compare};
use support::compare_tests;
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::executor::Executor;
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::{Network, Tensor};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = compare_tests::trials();
    let backends = backends();
    for backend in &backends {
        for case in cases::all().into_iter().filter(|case| backend.differs(&case.network)) {
            let (name, ignored) = (format!("{}/{}", backend.name, case.name), backend.ignored);
            let backend = backend.clone();
            trials.push(Trial::test(name, move || check(&backend, &case)).with_ignored_flag(ignored));
        }
    }
    for case in cases::cpu_only() {
        let cpu = backends[0].clone();
        trials.push(Trial::test(format!("{}/{}", cpu.name, case.name), move || check(&cpu, &case)));
    }
    for case in cases::all() {
        trials.push(Trial::test(format!("cpu_threads/{}", case.name), move || check_threads(&case)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs the case after a larger batch of poison, so that a backend that leaves an element unwritten, or reads one of the
/// batch before, shows it; then twice more: as a trace, layer by layer, and again for the same bits.
fn check(backend: &Backend, case: &Case) -> Result<(), Failed> {
    let mut executor = backend.make(case.network.clone(), case.n + 1)?;
    executor.run(case.poison(case.n + 1).as_input())?;

    let expected = ReferenceExecutor::new(case.network.clone()).run(case.samples.as_input())?;
    let actual = executor.run(case.samples.as_input())?;
    compare(&actual, &expected, Tolerance::of(&case.network))?;

    let traced = trace(executor.as_mut(), case)?;
    compare_layers(&case.network, &traced, case)?;
    let again = executor.run(case.samples.as_input())?;
    compare(&again, &actual, Tolerance::EXACT).map_err(|problem| format!("the second run differs: {problem}"))?;
    check_batches(executor.as_mut(), case, &actual)
}

/// A sample's features have the same bits in whatever batch it is: a run that was interrupted and resumed, with other
/// batches, ends in the same file.
fn check_batches(executor: &mut dyn Executor, case: &Case, whole: &Tensor) -> Result<(), Failed> {
    for n in [1, case.n.div_ceil(2)] {
        for first in (0..case.n).step_by(n) {
            let range = first..case.n.min(first + n);
            let part = executor.run(case.part(range.clone()).as_input())?;
            if bits(&part.data) != bits(&whole.data[range.start * part.shape.len()..range.end * part.shape.len()]) {
                return Err(format!("samples {range:?} of {} differ when they are a batch of their own", case.n).into());
            }
        }
    }
    Ok(())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// On the CPU the output has the same bits however many threads there are, and whether the layers are shown one by one or
/// computed together.
fn check_threads(case: &Case) -> Result<(), Failed> {
    let differs = |what: &str| Err(format!("{what} differs").into());
    let mut single = CpuExecutor::new(case.network.clone(), Some(1), Some(case.n))?;
    let expected = single.run(case.samples.as_input())?;
    let (_, traced) = trace(&mut single, case)?.pop().expect("a case has layers");
    if bits(&traced.data) != bits(&expected.data) {
        return differs("the trace");
    }
    let mut parallel = CpuExecutor::new(case.network.clone(), Some(3), Some(case.n))?;
    if bits(&parallel.run(case.samples.as_input())?.data) != bits(&expected.data) {
        return differs("what three threads compute");
    }
    Ok(())
}

fn trace(executor: &mut dyn Executor, case: &Case) -> Result<Vec<(String, Tensor)>, Failed> {
    let mut outputs = Vec::new();
    executor.trace(case.samples.as_input(), &mut |node, tensor| {
        outputs.push((node.layer.clone(), tensor));
        Ok(())
    })?;
    Ok(outputs)
}

/// Each node of the trace against the reference of the network up to it.
fn compare_layers(network: &Network, traced: &[(String, Tensor)], case: &Case) -> Result<(), Failed> {
    let mut reference = ReferenceExecutor::new(network.clone());
    let expected = trace(&mut reference, case)?;
    let layers = |outputs: &[(String, Tensor)]| outputs.iter().map(|(layer, _)| layer.clone()).collect::<Vec<_>>();
    if layers(traced) != layers(&expected) {
        return Err(format!("the trace shows {:?}, the network has {:?}", layers(traced), layers(&expected)).into());
    }
    for (index, ((layer, actual), (_, expected))) in traced.iter().zip(&expected).enumerate() {
        let tolerance = Tolerance::of_nodes(&network.nodes[..=index]);
        compare(actual, expected, tolerance).map_err(|problem| format!("trace, layer {layer}: {problem}"))?;
    }
    Ok(())
}
