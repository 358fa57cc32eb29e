//! Whole networks against what Keras itself computed, layer by layer.

mod keras_fixture;

use keras_fixture::Fixture;
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::device::{self, DeviceChoice};
use vgg_wgpu::keras::{LayerKind, Model};
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::{Executor, Input, LayerChoice, Network, Parameter, Result, Tensor};

/// Of the largest value of a layer. Keras's own backends differ by about as much: up to 17 layers of f32 sums of at most 75
/// terms.
const TOLERANCE: f32 = 1e-5;

#[test]
fn the_reference_computes_what_keras_does() {
    let mut compared = 0;
    for fixture in Fixture::all() {
        let models = fixture.models();
        assert!(!models.is_empty(), "{}: no weights", fixture.stem.display());
        for (what, model) in models {
            let model = as_written(&fixture, model);
            compared +=
                every_layer(&fixture, &what, &model, &|network, _| Ok(Box::new(ReferenceExecutor::new(network))));
        }
    }
    println!("{compared} layers compared");
    assert!(compared > 400, "only {compared} layers compared");
}

#[test]
fn the_cpu_computes_what_keras_does() {
    for fixture in Fixture::all() {
        for (what, model) in fixture.models() {
            let model = as_written(&fixture, model);
            every_layer(&fixture, &what, &model, &|network, n| {
                Ok(Box::new(CpuExecutor::new(network, Some(2), Some(n))?))
            });
        }
    }
}

/// One of each fixture's files, because each executor opens its device anew.
#[test]
fn the_gpu_computes_what_keras_does() {
    if std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1") {
        println!("skipped, as VGG_WGPU_SKIP_GPU_TESTS asks; tests/ops.rs lists its GPU tests as ignored");
        return;
    }
    for fixture in Fixture::all() {
        let (what, model) = fixture.models().swap_remove(0);
        let model = as_written(&fixture, model);
        every_layer(&fixture, &what, &model, &|network, n| {
            device::select(&DeviceChoice::Gpu)?.device.executor(network, Some(n))
        });
    }
}

/// Theano turns kernels by 180 degrees, and a file that Keras 1 wrote does not say that it was on Theano: Keras itself then
/// takes the kernels as they are, and so do we. What Keras computed there needs them turned.
fn as_written(fixture: &Fixture, mut model: Model) -> Model {
    if fixture.expected.backend != "theano" || !fixture.expected.keras.starts_with('1') {
        return model;
    }
    for parameter in model.parameters.iter_mut().flatten() {
        if let [kh, kw, c_in, c_out] = parameter.shape[..] {
            let values = parameter.load().unwrap();
            let turned = values.chunks_exact(c_in * c_out).rev().flatten().copied().collect();
            *parameter = Parameter::in_memory(&parameter.name, vec![kh, kw, c_in, c_out], turned);
        }
    }
    model
}

type Make<'a> = &'a dyn Fn(Network, usize) -> Result<Box<dyn Executor>>;

/// Truncates a model behind every layer, runs it on the executor that `make` makes for batches of the given size, and
/// compares with what Keras's layer returned. Returns the number of layers.
fn every_layer(fixture: &Fixture, what: &str, model: &Model, make: Make<'_>) -> usize {
    let mut compared = 0;
    let tensors = fixture.tensors();
    let (input, outputs) = tensors.split_first().unwrap();
    for (layer, output) in fixture.expected.layers.iter().zip(outputs) {
        let truncated = model.truncate(&LayerChoice::Name(layer.name.clone())).unwrap();
        let last = truncated.architecture.output_layer();
        if last.kind == (LayerKind::Flatten { channels_first: true }) {
            let error = truncated.network(None).expect_err("its order is not ours");
            assert!(error.to_string().contains("channels-first Flatten"), "{error}");
            continue;
        }
        let mut executor = make(truncated.network(None).unwrap(), input.n).unwrap();
        let found = executor.run(Input::Values(&input.data)).unwrap();
        compare(&found, output, &format!("{what}: {}", layer.name));
        compared += 1;
    }
    compared
}

fn compare(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!((found.n, found.shape), (expected.n, expected.shape), "{what}");
    let largest = expected.data.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0, "{what}: nothing but zeros to compare with");
    for (index, (found, expected)) in found.data.iter().zip(&expected.data).enumerate() {
        let fits = (found - expected).abs() <= TOLERANCE * largest; // false for NaN
        assert!(fits, "{what}: {found} at {index} instead of {expected}; the largest is {largest}");
    }
}
