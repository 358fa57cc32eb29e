//! Weights files: from every layout that Keras has written to the parameters of an architecture.

mod convert;
pub mod hdf5;
mod keras3;
mod legacy;
mod storage;

use std::sync::Arc;

use hdf5_pure::Group;

use self::convert::Conversion;
use self::hdf5::{Hdf5, StoredTensor};
use super::architecture::{Architecture, DataFormat};
use super::layer::LayerKind;
use crate::{Error, Parameter, Result};

/// The tensors that a file has for one layer.
#[derive(Debug)]
struct StoredLayer {
    name: String,
    tensors: Vec<StoredTensor>,
}

/// The parameters of `architecture`, read from `file` when they are asked for. Layers are paired by their order, as Keras
/// pairs them; every shape and type is checked here, before any value is read.
pub fn parameters(architecture: &Architecture, file: Arc<Hdf5>) -> Result<Vec<Vec<Parameter>>> {
    let root = file.root();
    let groups = root.groups().map_err(|problem| file.error(problem))?;
    let has = |name: &str| groups.iter().any(|group| group == name);
    let begins = |prefix: &str| groups.iter().any(|group| group.starts_with(prefix));
    let attributes = file.attributes(&root)?;
    if attributes.contains_key("nb_layers") {
        return Err(file.error("weights of Keras 0.3 or older are not supported: save them with Keras 1 or later"));
    }
    let legacy = |group: Group| legacy_parameters(architecture, &file, group);
    let keras_3 = |container: Group, prefix: &str| {
        let stored = keras3::layers(architecture, &file, &container, prefix)?;
        bind(architecture, &file, stored, |_| Conversion::None)
    };
    let containers = ["layers", "_layer_checkpoint_dependencies"];
    if file.strings(&root, "layer_names")?.is_some() {
        legacy(root)
    } else if has("model_weights") {
        legacy(root.group("model_weights").map_err(|problem| file.error(problem))?)
    } else if let Some(container) = containers.into_iter().find(|name| has(name)) {
        keras_3(root.group(container).map_err(|problem| file.error(problem))?, "")
    } else if let Some(prefix) = containers.map(|name| format!("{name}\\")).iter().find(|prefix| begins(prefix)) {
        // tf.keras on Windows: for HDF5 the backslash is a letter, and `layers\conv2d` one name in the root group.
        keras_3(root, prefix)
    } else {
        let list = groups.join(", ");
        Err(file.error(format!(
            "no Keras weights: neither the attribute layer_names nor a group model_weights, layers or \
             _layer_checkpoint_dependencies is there; the groups are: {list}"
        )))
    }
}

fn legacy_parameters(architecture: &Architecture, file: &Arc<Hdf5>, group: Group) -> Result<Vec<Vec<Parameter>>> {
    let keras_1 = file.string(&group, "keras_version")?.is_none_or(|version| version.starts_with('1'));
    let theano = file.string(&group, "backend")?.is_some_and(|backend| backend == "theano");
    let channels_first = keras_1 && architecture.data_format == DataFormat::ChannelsFirst;
    let conversion = |kind: &LayerKind| match kind {
        LayerKind::Conv2D { .. } => Conversion::of_kernel(channels_first, theano),
        _ => Conversion::None,
    };
    bind(architecture, file, legacy::layers(file, &group)?, conversion)
}

/// Pairs the layers that have weights with those of the file, in order.
fn bind(
    architecture: &Architecture,
    file: &Hdf5,
    stored: Vec<StoredLayer>,
    conversion: impl Fn(&LayerKind) -> Conversion,
) -> Result<Vec<Vec<Parameter>>> {
    let expected: Vec<usize> = (0..architecture.layers.len())
        .filter(|&index| !architecture.layers[index].kind.parameters(architecture.input_of(index)).is_empty())
        .collect();
    if stored.len() != expected.len() {
        let (found, count) = (stored.len(), expected.len());
        return Err(file.error(format!(
            "it has weights for {found} layers, {} has {count} layers with weights: the two do not belong together",
            architecture.origin
        )));
    }
    let mut parameters: Vec<Vec<Parameter>> = vec![Vec::new(); architecture.layers.len()];
    for (index, stored) in expected.into_iter().zip(stored) {
        let kind = &architecture.layers[index].kind;
        parameters[index] = bind_layer(architecture, file, index, stored, conversion(kind))?;
    }
    Ok(parameters)
}

fn bind_layer(
    architecture: &Architecture,
    file: &Hdf5,
    index: usize,
    stored: StoredLayer,
    conversion: Conversion,
) -> Result<Vec<Parameter>> {
    let layer = &architecture.layers[index];
    let expected = layer.kind.parameters(architecture.input_of(index));
    let fail = |problem: String| -> Error {
        let (name, class) = (&layer.name, layer.kind.class_name());
        file.error(format!("layer {name} ({class}), stored as {}: {problem}", stored.name))
    };
    if stored.tensors.len() != expected.len() {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let found: Vec<&str> = stored.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        return Err(fail(format!("weights {} were expected, found: {}", names.join(", "), found.join(", "))));
    }
    let mut parameters = Vec::new();
    for ((name, shape), tensor) in expected.into_iter().zip(stored.tensors) {
        let conversion = if name == "kernel" { conversion } else { Conversion::None };
        let stored_shape = conversion.stored_shape(&shape);
        if tensor.shape != stored_shape {
            let found = &tensor.shape;
            return Err(Error::model(
                &file.origin,
                format!(
                    "layer {} ({}): {name} of shape {stored_shape:?} was expected, {} has {found:?}: the weights are \
                     not of this architecture, {}",
                    layer.name,
                    layer.kind.class_name(),
                    tensor.name,
                    architecture.origin
                ),
            ));
        }
        let name = format!("{}/{name}", layer.name);
        parameters.push(Parameter::new(name, shape.clone(), conversion.apply(tensor, shape)));
    }
    Ok(parameters)
}
