//! Whole networks against what Keras itself computed, layer by layer.

mod keras_fixture;

use keras_fixture::{Fixture, legacy_weights};
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::keras::LayerKind;
use vgg_wgpu::reference::ReferenceExecutor;
use vgg_wgpu::{Executor, Input, LayerChoice, Network, Result, Tensor};

/// Of the largest value of a layer. Keras's own backends differ by about as much: up to 17 layers of f32 sums of at most 75
/// terms.
const TOLERANCE: f32 = 1e-5;

#[test]
fn the_reference_computes_what_keras_does() {
    check_all(|network, _| Ok(Box::new(ReferenceExecutor::new(network))));
}

#[test]
fn the_cpu_computes_what_keras_does() {
    check_all(|network, batch| Ok(Box::new(CpuExecutor::new(network, Some(2), Some(batch))?)));
}

/// Truncates every fixture behind every layer, runs it on the executor that `make` makes for batches of the given size, and
/// compares with what Keras's layer returned.
fn check_all(make: impl Fn(Network, usize) -> Result<Box<dyn Executor>>) {
    let mut compared = 0;
    for fixture in Fixture::all() {
        let Some(model) = legacy_weights::model(&fixture) else { continue };
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
            compare(&found, output, &format!("{}: {}", fixture.stem.display(), layer.name));
            compared += 1;
        }
    }
    println!("{compared} layers compared");
    assert!(compared > 180, "only {compared} layers compared");
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
