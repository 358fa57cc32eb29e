//! Networks against what Keras computed, layer by layer.

use vgg_wgpu::keras::{LayerKind, Model};
use vgg_wgpu::{Executor, Input, LayerChoice, Network, Parameter, Result, Tensor};

use super::Fixture;

/// Of the largest value of a layer. Keras's own backends differ by about as much: up to 17 layers of f32 sums of at most 75
/// terms.
const TOLERANCE: f32 = 1e-5;

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

/// Makes an executor for batches of the given size.
pub type Make<'a> = &'a dyn Fn(Network, usize) -> Result<Box<dyn Executor>>;

/// Truncates a model behind every layer, runs it on the executor that `make` makes for batches of the given size, and
/// compares with what Keras's layer returned. Returns the number of layers.
pub fn every_layer(fixture: &Fixture, what: &str, model: Model, make: Make<'_>) -> usize {
    let model = as_written(fixture, model);
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
