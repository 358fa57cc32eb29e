//! The layout of `save_weights` to `.h5`: a group for each layer, listed in the attribute `layer_names`, whose attribute
//! `weight_names` lists its tensors. Keras drops layers without any, and pairs the others by their order.

use std::sync::Arc;

use hdf5_pure::Group;

use super::StoredLayer;
use super::hdf5::Hdf5;
use crate::Result;

/// The layers that have weights, in the file's order.
pub fn layers(file: &Arc<Hdf5>, group: &Group) -> Result<Vec<StoredLayer>> {
    let missing = |what: &str| file.error(format!("the attribute {what} is missing: it is no Keras weights file"));
    let names = file.strings(group, "layer_names")?.ok_or_else(|| missing("layer_names"))?;
    let mut layers = Vec::new();
    for name in names {
        let layer = group.group(&name).map_err(|problem| file.error(format!("layer {name}: {problem}")))?;
        let weights =
            file.strings(&layer, "weight_names")?.ok_or_else(|| missing(&format!("weight_names of layer {name}")))?;
        // Keras on Windows has written backslashes.
        let tensors = weights.iter().map(|weight| file.tensor(group, &format!("{name}/{}", weight.replace('\\', "/"))));
        let tensors = tensors.collect::<Result<Vec<_>>>()?;
        if !tensors.is_empty() {
            layers.push(StoredLayer { name, tensors });
        }
    }
    Ok(layers)
}
