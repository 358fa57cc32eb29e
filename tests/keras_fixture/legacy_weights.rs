//! The weights of a fixture's `.h5`, read in the plainest way and with the conversions that Keras's own loader makes: for
//! tests of everything behind the weights readers.

use hdf5_pure::{File, Group};
use vgg_wgpu::Parameter;
use vgg_wgpu::keras::{Architecture, DataFormat, LayerKind, Model};

use super::Fixture;

/// The model of `MODEL.json` with the weights of `MODEL.h5` or `MODEL.model.h5`; none where it has neither.
pub fn model(fixture: &Fixture) -> Option<Model> {
    let architecture = fixture.architecture();
    let stored = if fixture.path("h5").exists() {
        layers_with_weights(&File::open(fixture.path("h5")).unwrap().root())
    } else if fixture.path("model.h5").exists() {
        layers_with_weights(&File::open(fixture.path("model.h5")).unwrap().group("model_weights").unwrap())
    } else {
        return None;
    };
    let with_weights: Vec<usize> =
        (0..architecture.layers.len()).filter(|&index| !shapes(&architecture, index).is_empty()).collect();
    assert_eq!(stored.len(), with_weights.len(), "{}", fixture.stem.display());
    let mut parameters = vec![Vec::new(); architecture.layers.len()];
    for (index, values) in with_weights.into_iter().zip(stored) {
        let layer = &architecture.layers[index];
        for ((name, shape), mut values) in shapes(&architecture, index).into_iter().zip(values) {
            if name == "kernel" && matches!(layer.kind, LayerKind::Conv2D { .. }) {
                values = converted(fixture, &architecture, &shape, values);
            }
            parameters[index].push(Parameter::in_memory(format!("{}/{name}", layer.name), shape, values));
        }
    }
    Some(Model::new(architecture, parameters, "a fixture"))
}

fn shapes(architecture: &Architecture, index: usize) -> Vec<(&'static str, Vec<usize>)> {
    architecture.layers[index].kind.parameters(architecture.input_of(index))
}

/// The values of each layer that has any, in the file's order.
fn layers_with_weights(root: &Group) -> Vec<Vec<Vec<f32>>> {
    let mut layers = Vec::new();
    for layer in strings(root, "layer_names") {
        let group = root.group(&layer).unwrap();
        let names = strings(&group, "weight_names");
        if !names.is_empty() {
            layers.push(names.iter().map(|name| group.dataset(name).unwrap().read::<f32>().unwrap()).collect());
        }
    }
    layers
}

/// A kernel `[kh, kw, c_in, c_out]`: Keras 1 stores `[c_out, c_in, kh, kw]` for `th`, and Theano's are turned by 180 degrees.
fn converted(fixture: &Fixture, architecture: &Architecture, shape: &[usize], stored: Vec<f32>) -> Vec<f32> {
    let [kh, kw, c_in, c_out] = *shape else { panic!("{shape:?}") };
    let old = fixture.expected.keras.starts_with('1') && architecture.data_format == DataFormat::ChannelsFirst;
    let flip = fixture.expected.backend == "theano";
    let mut kernel = Vec::with_capacity(stored.len());
    for y in 0..kh {
        for x in 0..kw {
            let (y, x) = if flip { (kh - 1 - y, kw - 1 - x) } else { (y, x) };
            for (i, o) in (0..c_in).flat_map(|i| (0..c_out).map(move |o| (i, o))) {
                let at = if old { ((o * c_in + i) * kh + y) * kw + x } else { ((y * kw + x) * c_in + i) * c_out + o };
                kernel.push(stored[at]);
            }
        }
    }
    kernel
}

fn strings(group: &Group, name: &str) -> Vec<String> {
    // A layer without weights has an empty array of numbers.
    group.attrs().unwrap()[name].as_strings().map_or_else(Vec::new, <[String]>::to_vec)
}
