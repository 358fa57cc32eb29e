//! The layout of Keras 3 and of tf.keras from 2.12: `conv2d`, `conv2d_1` and so on, each with `vars/0`, `vars/1`. Groups
//! are named by class and numbered in layer order, whatever the layers are called; tf.keras 2.12 leaves gaps.

use std::collections::HashMap;
use std::sync::Arc;

use hdf5_pure::Group;

use super::StoredLayer;
use super::hdf5::Hdf5;
use crate::Result;
use crate::keras::architecture::Architecture;
use crate::keras::layer::LayerKind;

/// The stored layers that have weights, in the order of the architecture's. They are those groups of `container` whose
/// names begin with `prefix`.
pub fn layers(
    architecture: &Architecture,
    file: &Arc<Hdf5>,
    container: &Group,
    prefix: &str,
) -> Result<Vec<StoredLayer>> {
    let groups = container.groups().map_err(|problem| file.error(problem))?;
    let mut numbered: HashMap<&str, Vec<(u64, StoredLayer)>> = HashMap::new();
    for group in &groups {
        let Some((class, number)) = group.strip_prefix(prefix).and_then(class_and_number) else { continue };
        let tensors = tensors(file, container, group)?;
        if !tensors.is_empty() {
            numbered.entry(class).or_default().push((number, StoredLayer { name: group.clone(), tensors }));
        }
    }
    for layers in numbered.values_mut() {
        // From the last to the first, to be popped.
        layers.sort_by_key(|&(number, _)| std::cmp::Reverse(number));
    }
    let mut ordered = Vec::new();
    for layer in &architecture.layers {
        let class = group_prefix(&layer.kind);
        ordered.extend(class.and_then(|class| numbered.get_mut(class)?.pop()).map(|(_, layer)| layer));
    }
    let left: Vec<String> = numbered.into_values().flatten().map(|(_, layer)| layer.name).collect();
    if !left.is_empty() {
        let list = left.join(", ");
        return Err(file.error(format!("it has weights for which {} has no layer: {list}", architecture.origin)));
    }
    Ok(ordered)
}

/// What Keras makes of the class name for the group of a layer that has weights.
fn group_prefix(kind: &LayerKind) -> Option<&'static str> {
    match kind {
        LayerKind::Conv2D { .. } => Some("conv2d"),
        LayerKind::Dense { .. } => Some("dense"),
        LayerKind::BatchNormalization { .. } => Some("batch_normalization"),
        _ => None,
    }
}

/// `conv2d_3` is number 3 of `conv2d`, `conv2d` is number 0. None for classes without weights.
fn class_and_number(group: &str) -> Option<(&'static str, u64)> {
    ["conv2d", "dense", "batch_normalization"].into_iter().find_map(|class| {
        let rest = group.strip_prefix(class)?;
        if rest.is_empty() { Some((class, 0)) } else { Some((class, rest.strip_prefix('_')?.parse().ok()?)) }
    })
}

fn tensors(file: &Arc<Hdf5>, container: &Group, group: &str) -> Result<Vec<super::StoredTensor>> {
    let path = format!("{group}/vars");
    let Ok(vars) = container.group(&path) else { return Ok(Vec::new()) };
    let mut names = vars.datasets().map_err(|problem| file.error(format!("{path}: {problem}")))?;
    names.sort_by_key(|name| name.parse::<u64>().unwrap_or(u64::MAX));
    names.iter().map(|name| file.tensor(container, &format!("{path}/{name}"))).collect()
}
