//! Whole networks against what Keras itself computed, layer by layer.

mod keras_fixture;

use keras_fixture::Fixture;
use keras_fixture::compare::every_layer;
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::reference::ReferenceExecutor;

#[test]
fn the_reference_computes_what_keras_does() {
    let mut compared = 0;
    for fixture in Fixture::all() {
        let models = fixture.models();
        assert!(!models.is_empty(), "{}: no weights", fixture.stem.display());
        for (what, model) in models {
            compared +=
                every_layer(&fixture, &what, model, &|network, _| Ok(Box::new(ReferenceExecutor::new(network))));
        }
    }
    println!("{compared} layers compared");
    assert!(compared > 400, "only {compared} layers compared");
}

#[test]
fn the_cpu_computes_what_keras_does() {
    for fixture in Fixture::all() {
        for (what, model) in fixture.models() {
            every_layer(&fixture, &what, model, &|network, n| {
                Ok(Box::new(CpuExecutor::new(network, Some(2), Some(n))?))
            });
        }
    }
}
