//! Whole networks against what Keras itself computed, layer by layer.

mod keras_fixture;

use keras_fixture::Fixture;
use keras_fixture::compare::every_layer;
use vgg_wgpu::Shape;
use vgg_wgpu::cpu::CpuExecutor;
use vgg_wgpu::keras::{Architecture, LayerKind, ModelClass, untrained};
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

/// The order of a channels-first Flatten is ours where a map has one pixel or one channel.
#[test]
fn a_channels_first_map_without_an_order_may_be_flattened_last() {
    for ([h, w, c], expected) in [([1, 1, 6], true), ([3, 2, 1], true), ([1, 2, 6], false)] {
        let layers = [("flatten".to_owned(), LayerKind::Flatten { channels_first: true })];
        let input = Shape::Map { h, w, c };
        let architecture = Architecture::new("flat", "flat.json", ModelClass::Sequential, input, layers).unwrap();
        let network = untrained::model(architecture, 0).network(None);
        assert_eq!(network.is_ok(), expected, "{input}: {network:?}");
    }
}
