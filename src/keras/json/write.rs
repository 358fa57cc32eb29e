//! An architecture as JSON that Keras itself loads.

use serde_json::{Value, json};

use crate::Shape;
use crate::keras::architecture::{Architecture, DataFormat, ModelClass};
use crate::keras::layer::{Activation, Layer, LayerKind};
use crate::ops::{self, Padding};

impl Architecture {
    /// The text for Keras's `model_from_json`: one for Keras 2.3.1, tf.keras 2.3 to 2.15, Keras 3.0 and today's Keras 3
    /// (these were tried). Functional models need tf.keras 2.3, or a Keras 3 that keeps `input_layers` flat: 3.0 does not.
    /// It is a model for inference: initialisers, regularisers and the rate of Dropout are not kept.
    pub fn to_json(&self) -> String {
        let (class, module) = match self.class {
            ModelClass::Sequential => ("Sequential", "keras"),
            ModelClass::Functional => ("Functional", "keras.src.models.functional"),
        };
        let mut config = json!({ "name": self.name, "layers": self.layers_json() });
        if let (ModelClass::Functional, [first, .., last]) = (self.class, self.layers.as_slice()) {
            config["input_layers"] = json!([first.name, 0, 0]);
            config["output_layers"] = json!([last.name, 0, 0]);
        }
        // Keras 3 takes a text with `keras_version` to be one of its predecessors' and refuses some of what they wrote.
        let model = json!({ "module": module, "class_name": class, "config": config, "registered_name": null });
        format!("{model:#}\n")
    }

    /// The layers; before those of a Sequential stands the InputLayer that its `layers` leaves out.
    fn layers_json(&self) -> Vec<Value> {
        let mut layers = Vec::new();
        if self.class == ModelClass::Sequential {
            layers.push(registered("InputLayer", self.input_config("input_layer")));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let mut entry = registered(layer.kind.class_name(), self.config(layer, self.input_of(index)));
            if self.class == ModelClass::Functional {
                let inbound = index.checked_sub(1).map(|previous| json!([[self.layers[previous].name, 0, 0, {}]]));
                entry["name"] = json!(layer.name);
                entry["inbound_nodes"] = inbound.into_iter().collect();
            }
            layers.push(entry);
        }
        layers
    }

    fn input_config(&self, name: &str) -> Value {
        let dims = match (self.input, self.data_format) {
            (Shape::Vector(len), _) => json!([null, len]),
            (Shape::Map { h, w, c }, DataFormat::ChannelsLast) => json!([null, h, w, c]),
            (Shape::Map { h, w, c }, DataFormat::ChannelsFirst) => json!([null, c, h, w]),
        };
        json!({ "batch_input_shape": dims, "dtype": "float32", "sparse": false, "name": name })
    }

    fn config(&self, layer: &Layer, input: Shape) -> Value {
        let data_format = self.data_format.to_string();
        let mut config = match layer.kind {
            LayerKind::InputLayer => return self.input_config(&layer.name),
            LayerKind::Conv2D { filters, kernel, stride, padding, use_bias, activation } => json!({
                "filters": filters, "kernel_size": kernel, "strides": stride, "padding": padding_name(padding),
                "data_format": data_format, "use_bias": use_bias, "activation": activation_name(activation),
            }),
            LayerKind::MaxPooling2D { pool, stride, padding }
            | LayerKind::AveragePooling2D { pool, stride, padding } => {
                json!({
                    "pool_size": pool, "strides": stride, "padding": padding_name(padding), "data_format": data_format,
                })
            }
            LayerKind::GlobalMaxPooling2D { keepdims } | LayerKind::GlobalAveragePooling2D { keepdims } => {
                let mut config = json!({ "data_format": data_format });
                if keepdims {
                    config["keepdims"] = json!(true); // unknown to tf.keras before 2.6
                }
                config
            }
            LayerKind::ZeroPadding2D { padding } => json!({ "padding": padding, "data_format": data_format }),
            LayerKind::Flatten { channels_first } => {
                let turns = self.data_format == DataFormat::ChannelsFirst && !channels_first;
                let format = if turns { DataFormat::ChannelsFirst } else { DataFormat::ChannelsLast };
                json!({ "data_format": format.to_string() })
            }
            LayerKind::Dense { units, use_bias, activation } => {
                json!({ "units": units, "use_bias": use_bias, "activation": activation_name(activation) })
            }
            // Nothing here drops anything, so the rate is not kept: the model is for inference.
            LayerKind::Dropout => json!({ "rate": 0.0 }),
            LayerKind::BatchNormalization { epsilon, center, scale } => {
                let first = self.data_format == DataFormat::ChannelsFirst && matches!(input, Shape::Map { .. });
                json!({ "axis": if first { 1 } else { -1 }, "epsilon": epsilon, "center": center, "scale": scale })
            }
            LayerKind::Activation(activation) => json!({ "activation": activation_name(activation) }),
        };
        config["name"] = json!(layer.name);
        config["trainable"] = json!(layer.trainable);
        config["dtype"] = json!("float32");
        config
    }
}

fn registered(class: &str, config: Value) -> Value {
    json!({ "module": "keras.layers", "class_name": class, "config": config, "registered_name": null })
}

fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
    }
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Elementwise(ops::Activation::Linear) => "linear",
        Activation::Elementwise(ops::Activation::Relu) => "relu",
        Activation::Elementwise(ops::Activation::Sigmoid) => "sigmoid",
        Activation::Elementwise(ops::Activation::Tanh) => "tanh",
        Activation::Softmax => "softmax",
    }
}
