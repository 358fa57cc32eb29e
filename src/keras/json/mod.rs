//! The architecture JSON of every Keras from 1.0 to 3: what `model.to_json()` returns, a whole-model HDF5 file carries
//! as `model_config`, and a `.keras` file as `config.json`.

mod chain;
mod config;
mod write;

use serde::Deserialize;
use serde_json::Value;

use self::config::{Axis, Common, Dims};
use super::architecture::{Architecture, DataFormat, ModelClass};
use super::layer::{Activation, LayerKind};
use crate::{Error, Result, Shape};

/// The outermost object. Keras 3 adds `module`, `registered_name` and more, older ones `keras_version` and `backend`.
#[derive(Deserialize)]
struct ModelJson {
    class_name: String,
    config: ModelConfig,
}

/// Until Keras 2.2.2 the config of a Sequential was the list of its layers.
#[derive(Deserialize)]
#[serde(untagged, expecting = "the model's config is neither a list of layers nor an object with `layers`")]
enum ModelConfig {
    Layers(Vec<LayerJson>),
    Named {
        name: Option<String>,
        layers: Vec<LayerJson>,
        build_input_shape: Option<Dims>,
        #[serde(default)]
        input_layers: Value,
        #[serde(default)]
        output_layers: Value,
    },
}

/// One entry of `layers`; `name` and `inbound_nodes` stand in functional models only.
#[derive(Deserialize)]
struct LayerJson {
    class_name: String,
    config: Value,
    name: Option<String>,
    module: Option<String>,
    registered_name: Option<String>,
    #[serde(default)]
    inbound_nodes: Value,
}

/// A layer that was understood, and what of its config concerns the model as a whole.
struct LayerSpec {
    name: String,
    kind: LayerKind,
    common: Common,
}

impl Architecture {
    /// Reads the JSON of a Sequential model or of a functional model that is one chain. `origin` names the file in errors.
    ///
    /// Maps of a `channels_first` (`th`) model are turned to channels-last. Whatever a layer's dtype policy, it is
    /// computed in float32; quantised layers are refused, since their weights mean something else.
    ///
    /// # Errors
    /// [`Error::Model`] for everything that is not understood completely: it names the layer and its class.
    pub fn from_json(text: &str, origin: &str) -> Result<Architecture> {
        let problem = |problem| Error::model(origin, problem);
        // `json.dump(model.to_json(), file)` makes one JSON string of it.
        let unwrapped = serde_json::from_str::<String>(text);
        let model: ModelJson = serde_json::from_str(unwrapped.as_deref().unwrap_or(text))
            .map_err(|error| problem(format!("not a Keras architecture, as model.to_json() writes it: {error}")))?;
        let class = match model.class_name.as_str() {
            "Sequential" => ModelClass::Sequential,
            "Functional" | "Model" => ModelClass::Functional,
            other => {
                return Err(problem(format!(
                    "the model's class is {other}; supported are Sequential and Functional (Model). A subclass must be \
                     rebuilt as one of them in Keras and saved again"
                )));
            }
        };
        let (name, layers, build_input_shape) = layers_in_order(class, model.config).map_err(problem)?;
        let specs = layers.into_iter().map(LayerSpec::read).collect::<Result<Vec<_>, _>>().map_err(problem)?;
        assemble(name, origin, class, specs, build_input_shape)
    }
}

type Ordered = (String, Vec<LayerJson>, Option<Dims>);

/// The model's name, its layers from input to output, and the input shape where the model itself records one.
fn layers_in_order(class: ModelClass, config: ModelConfig) -> Result<Ordered, String> {
    match (class, config) {
        // Without a stored name Keras numbers the models that it loads.
        (ModelClass::Sequential, ModelConfig::Layers(layers)) => Ok(("sequential_1".into(), layers, None)),
        (ModelClass::Sequential, ModelConfig::Named { name, layers, build_input_shape, .. }) => {
            Ok((name.unwrap_or_else(|| "sequential".into()), layers, build_input_shape))
        }
        (ModelClass::Functional, ModelConfig::Layers(_)) => Err("a functional model's config is a list".into()),
        (ModelClass::Functional, ModelConfig::Named { name, layers, input_layers, output_layers, .. }) => {
            let layers = chain::order(layers, &input_layers, &output_layers)?;
            Ok((name.unwrap_or_else(|| "model".into()), layers, None))
        }
    }
}

impl LayerJson {
    /// The layer's name; in a functional model it is the one that other layers refer to.
    fn name(&self) -> &str {
        let in_config = || self.config.get("name").and_then(Value::as_str);
        self.name.as_deref().or_else(in_config).unwrap_or("(unnamed)")
    }

    /// The registered name of a class that is not Keras's, though it may be called as one is. Keras 3.0 registers its own
    /// classes, too, in modules of its own; a class that its author registered has a package and `>` in its name.
    fn own_class(&self) -> Option<&str> {
        let module = self.module.as_deref().unwrap_or_default();
        let in_keras = ["keras.", "tf_keras."].iter().any(|package| module.starts_with(package));
        self.registered_name.as_deref().filter(|name| !in_keras || name.contains('>'))
    }

    /// `problem` with the layer it is about.
    fn problem(&self, problem: impl std::fmt::Display) -> String {
        format!("layer {} ({}): {problem}", self.name(), self.class_name)
    }
}

impl LayerSpec {
    fn read(layer: LayerJson) -> Result<LayerSpec, String> {
        if let Some(registered) = layer.own_class() {
            return Err(layer.problem(format!("a class of its author's own ({registered}) cannot be run")));
        }
        let kind = config::read_kind(&layer.class_name, &layer.config).map_err(|problem| layer.problem(problem))?;
        let common = Common::read(&layer.config).map_err(|problem| layer.problem(problem))?;
        if layer.name() == "(unnamed)" {
            return Err(layer.problem("it has no name"));
        }
        Ok(LayerSpec { name: layer.name().to_owned(), kind, common })
    }
}

/// Joins the layers: finds the data format and the input shape that the model as a whole has, and checks that every
/// layer works on the axis that it works on here.
fn assemble(
    name: String,
    origin: &str,
    class: ModelClass,
    mut specs: Vec<LayerSpec>,
    build_input_shape: Option<Dims>,
) -> Result<Architecture> {
    let problem = |problem| Error::model(origin, problem);
    let data_format = data_format(&specs).map_err(problem)?;
    let input = input_shape(&specs, build_input_shape, data_format).map_err(problem)?;
    if class == ModelClass::Sequential && specs.first().is_some_and(|spec| spec.kind == LayerKind::InputLayer) {
        specs.remove(0);
    }
    if let Some(spec) = specs.iter().skip(1).find(|spec| spec.kind == LayerKind::InputLayer) {
        return Err(problem(format!("layer {} (InputLayer): only the first layer can be an input", spec.name)));
    }
    for spec in &mut specs {
        if let LayerKind::Flatten { channels_first } = &mut spec.kind {
            // From 2.1.6 `Flatten(data_format="channels_first")` turns the map to channels-last first.
            *channels_first =
                data_format == DataFormat::ChannelsFirst && spec.common.data_format != Some(DataFormat::ChannelsFirst);
        }
    }
    let layers = specs.iter().map(|spec| (spec.name.clone(), spec.kind.clone()));
    let mut architecture = Architecture::new(name, origin, class, input, layers)?;
    architecture.data_format = data_format;
    for (index, spec) in specs.iter().enumerate() {
        architecture.layers[index].trainable = spec.common.trainable.unwrap_or(true);
        check_axis(spec, architecture.input_of(index), data_format)
            .map_err(|text| problem(format!("layer {} ({}): {text}", spec.name, spec.kind.class_name())))?;
    }
    Ok(architecture)
}

/// The one data format that all layers share; channels-last where none has any.
fn data_format(specs: &[LayerSpec]) -> Result<DataFormat, String> {
    let mut found: Option<(DataFormat, &str)> = None;
    for spec in specs.iter().filter(|spec| !matches!(spec.kind, LayerKind::Flatten { .. })) {
        match (spec.common.data_format, found) {
            (Some(format), Some((other, first))) if format != other => {
                return Err(format!(
                    "layer {} is {format} but layer {first} is {other}: a model of both is not supported",
                    spec.name
                ));
            }
            (Some(format), None) => found = Some((format, &spec.name)),
            _ => {}
        }
    }
    Ok(found.map_or(DataFormat::ChannelsLast, |(format, _)| format))
}

/// The shape of one input sample, wherever this generation records it.
fn input_shape(specs: &[LayerSpec], build_input_shape: Option<Dims>, data_format: DataFormat) -> Result<Shape, String> {
    let first = specs.first().ok_or("the model has no layers")?;
    let remedy = "build the model in Keras with a fixed input shape, such as Input((224, 224, 3)), and save it again";
    let Some(dims) = first.common.batch_input_shape.clone().or(build_input_shape) else {
        return Err(format!(
            "no input shape is recorded, neither on layer {} nor on the model (Keras 2.2.3 to 2.3.1 lose it where it was \
             never given); {remedy}",
            first.name
        ));
    };
    let (shown, fixed) = (dims.to_string(), dims.sample().iter().copied().collect::<Option<Vec<usize>>>());
    match (fixed.as_deref(), data_format) {
        (Some(&[len]), _) => Ok(Shape::Vector(len)),
        (Some(&[h, w, c]), DataFormat::ChannelsLast) | (Some(&[c, h, w]), DataFormat::ChannelsFirst) => {
            Ok(Shape::Map { h, w, c })
        }
        (Some(_), _) => {
            Err(format!("its input shape is {shown}; supported are images (rows, columns, channels) and vectors"))
        }
        (None, _) => Err(format!("its input shape {shown} leaves a size open; {remedy}")),
    }
}

/// What is wrong where a layer works on another axis than the channels, or flattens in an order that no Dense here takes.
fn check_axis(spec: &LayerSpec, input: Shape, data_format: DataFormat) -> Result<(), String> {
    let Shape::Map { .. } = input else {
        return match spec.common.axis {
            None | Some(Axis(-1 | 1)) => Ok(()),
            Some(Axis(axis)) => Err(format!("axis {axis} of a vector; only its features, axis -1, are supported")),
        };
    };
    let (channels, last) = match data_format {
        DataFormat::ChannelsLast => ([-1, 3], true),
        DataFormat::ChannelsFirst => ([-3, 1], false),
    };
    let axis = spec.common.axis.map_or(-1, |Axis(axis)| axis);
    match spec.kind {
        LayerKind::BatchNormalization { .. } if !channels.contains(&axis) => Err(format!(
            "axis {axis} of a {data_format} map is not its channels; only normalising channels is supported"
        )),
        LayerKind::Dense { .. }
        | LayerKind::Activation(Activation::Softmax)
        | LayerKind::Conv2D { activation: Activation::Softmax, .. }
            if !last =>
        {
            Err("works on the last axis, which in a channels_first map is the columns; not supported".into())
        }
        LayerKind::Flatten { .. } if last && spec.common.data_format == Some(DataFormat::ChannelsFirst) => {
            Err("flattens a channels_last map in channels_first order; not supported".into())
        }
        _ => Ok(()),
    }
}
