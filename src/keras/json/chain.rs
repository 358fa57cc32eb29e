//! Functional models: from a graph, listed in any order, to the one chain that it must be.

use std::collections::HashMap;

use serde_json::Value;

use super::LayerJson;

/// The layers from the input to the output. Every layer must have one input and one user.
pub(super) fn order(layers: Vec<LayerJson>, inputs: &Value, outputs: &Value) -> Result<Vec<LayerJson>, String> {
    let mut rest: HashMap<String, LayerJson> = HashMap::with_capacity(layers.len());
    for layer in layers {
        let problem = layer.problem("an earlier layer has the same name");
        if rest.insert(layer.name().to_owned(), layer).is_some() {
            return Err(problem);
        }
    }
    let input = single(inputs, "input")?;
    let mut current = Some(single(outputs, "output")?);
    let mut chain = Vec::with_capacity(rest.len());
    while let Some(name) = current {
        let layer = rest.remove(&name).ok_or_else(|| match chain.last() {
            None => format!("the model's output is layer {name}, which does not exist"),
            Some(user) => LayerJson::problem(
                user,
                format!("its input is layer {name}, which does not exist or stands in the chain already"),
            ),
        })?;
        current = input_of(&layer)?;
        chain.push(layer);
    }
    chain.reverse();
    if let Some(beside) = rest.values().map(LayerJson::name).min() {
        let last = chain.last().map_or("", LayerJson::name);
        return Err(format!(
            "layer {beside} is not on the chain that ends with layer {last}; only models that are one chain, without \
             branches, are supported"
        ));
    }
    match chain.first() {
        Some(first) if first.name() == input => Ok(chain),
        _ => Err(format!("the chain does not begin with the model's input layer {input}")),
    }
}

/// The one layer that `input_layers` or `output_layers` names.
fn single(value: &Value, what: &str) -> Result<String, String> {
    let mut names = Vec::new();
    tensors(value, &mut names)?;
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) => {
            Err(format!("the model has {} {what}s ({}); exactly one is supported", names.len(), names.join(", ")))
        }
    }
}

/// The layer whose output `layer` takes; none for an input layer.
fn input_of(layer: &LayerJson) -> Result<Option<String>, String> {
    let uses = layer.inbound_nodes.as_array().map_or(0, Vec::len);
    if layer.class_name == "InputLayer" && uses == 0 {
        return Ok(None);
    }
    let mut names = Vec::new();
    tensors(&layer.inbound_nodes, &mut names).map_err(|problem| layer.problem(problem))?;
    if uses > 1 {
        return Err(layer.problem(format!("it is used {uses} times; shared layers are not supported")));
    }
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(Some(name)),
        Err(names) => {
            let problem = format!("it takes {} inputs ({}); a chain has one a layer", names.len(), names.join(", "));
            Err(layer.problem(problem))
        }
    }
}

/// Collects the layers whose tensors `value` refers to. References are `["name", 0, 0]` in Keras 1, with a fourth
/// element `{}` in Keras 2, and objects of class `__keras_tensor__` in Keras 3, in varying depths of lists.
fn tensors(value: &Value, names: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(name), Value::Number(_), Value::Number(_), keywords @ ..] => {
                names.push(name.clone());
                keywords.iter().try_for_each(|value| tensors(value, names))
            }
            _ => items.iter().try_for_each(|value| tensors(value, names)),
        },
        Value::Object(object) => {
            let training = object.get("training").unwrap_or(&Value::Null);
            if !(training.is_null() || training == false || training.as_f64() == Some(0.0)) {
                return Err("it is called with training=True, which has no fixed result".into());
            }
            match value.pointer("/config/keras_history") {
                Some(history) => tensors(history, names),
                None => object.values().try_for_each(|value| tensors(value, names)),
            }
        }
        _ => Ok(()),
    }
}
