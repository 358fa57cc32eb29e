//! Every architecture that a real Keras wrote, against what that Keras reported about it; and everything refused.

mod keras_fixture;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use keras_fixture::Fixture;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use vgg_wgpu::Shape;
use vgg_wgpu::keras::{Architecture, DataFormat, Layer, LayerKind, ModelClass, summary};

/// The layers that Keras's `model.layers` has besides the InputLayer, which the expectations leave out.
fn computing(architecture: &Architecture) -> impl Iterator<Item = (usize, &Layer)> {
    architecture.layers.iter().enumerate().filter(|(_, layer)| layer.kind != LayerKind::InputLayer)
}

fn params(architecture: &Architecture, index: usize) -> usize {
    let parameters = architecture.layers[index].kind.parameters(architecture.input_of(index));
    parameters.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

#[test]
fn every_fixture_is_read_as_keras_reports_it() {
    for fixture in Fixture::all() {
        let (architecture, expected) = (fixture.architecture(), &fixture.expected);
        let origin = &architecture.origin;
        assert_eq!(architecture.input, expected.input(), "{origin}");
        let class = if expected.functional { ModelClass::Functional } else { ModelClass::Sequential };
        assert_eq!(architecture.class, class, "{origin}");
        assert_eq!(architecture.data_format == DataFormat::ChannelsFirst, expected.channels_first, "{origin}");
        assert_eq!(computing(&architecture).count(), expected.layers.len(), "{origin}");
        for ((index, layer), expected) in computing(&architecture).zip(&expected.layers) {
            let class = layer.kind.class_name();
            let expected_class = expected.class.replace("Convolution2D", "Conv2D");
            assert_eq!((&layer.name, class), (&expected.name, expected_class.as_str()), "{origin}");
            assert_eq!(layer.output, expected.shape(), "{origin}: {}", layer.name);
            assert_eq!(params(&architecture, index), expected.params, "{origin}: {}", layer.name);
        }
    }
}

/// The name of a model is stored from Keras 2.2.3, and of functional models always.
#[test]
fn the_model_keeps_its_name() {
    for fixture in Fixture::all() {
        let stored = serde_json::from_str::<Value>(&fixture.json()).unwrap()["config"]["name"].is_string();
        let name = if stored { fixture.expected.name.as_str() } else { "sequential_1" };
        assert_eq!(fixture.architecture().name, name, "{}", fixture.stem.display());
    }
}

/// Flatten leaves a channels-first map in the order `c, h, w` unless told otherwise, as only the one of Keras 3 is.
#[test]
fn flatten_has_the_order_of_its_keras() {
    let fixtures = Fixture::all();
    let channels_first: Vec<&Fixture> = fixtures.iter().filter(|fixture| fixture.expected.channels_first).collect();
    assert!(channels_first.len() >= 4);
    for fixture in channels_first {
        let kind = LayerKind::Flatten { channels_first: !fixture.expected.keras.starts_with('3') };
        assert!(fixture.architecture().layers.iter().any(|layer| layer.kind == kind), "{}", fixture.stem.display());
    }
}

/// `(model, the summary that Keras 3 prints)`, byte for byte at 80 characters a line.
fn summaries() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras/keras-3");
    let names = ["every_layer", "every_layer_functional", "frozen", "mini_vgg", "mini_vgg_channels_first"];
    let read = |name: &str, extension: &str| fs::read_to_string(folder.join(format!("{name}.{extension}"))).unwrap();
    let all = names.into_iter().chain(["mini_vgg_functional", "vgg16"]);
    all.map(|name| (read(name, "json"), read(name, "summary.txt"))).collect()
}

#[test]
fn the_summary_is_that_of_keras() {
    for (model, expected) in summaries() {
        let summary = summary::table(&Architecture::from_json(&model, "model.json").unwrap());
        assert_eq!(summary, expected, "\n{summary}\nis not\n{expected}");
    }
}

#[test]
fn parameters_are_counted_as_keras_counts_them() {
    for fixture in Fixture::all() {
        let architecture = fixture.architecture();
        assert_eq!(architecture.params(), fixture.expected.params, "{}", architecture.origin);
        let trainable = format!("\n Trainable params: {} (", fixture.expected.trainable);
        assert!(summary::table(&architecture).contains(&trainable), "{}", architecture.origin);
    }
}

#[test]
fn the_built_in_vgg16_is_the_course_s() {
    let (json, _) = summaries().pop().unwrap();
    let written_by_keras = Architecture::from_json(&json, "the built-in VGG16").unwrap();
    assert_eq!(Architecture::vgg16(), written_by_keras);
    assert_eq!(written_by_keras.params(), 138_357_544);
}

/// `to_json()` returns text, of which `json.dump(model.to_json(), file)` makes one JSON string.
#[test]
fn an_architecture_may_be_a_string_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    for fixture in Fixture::all() {
        fs::write(&path, Value::String(fixture.json()).to_string()).unwrap();
        let architecture = Architecture::open(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(architecture.layers, fixture.architecture().layers);
    }
    fs::write(&path, "\"{\\\"class_name").unwrap();
    let error = Architecture::open(&path).unwrap_err().to_string();
    assert!(error.contains("not a Keras architecture"), "{error}");
}

#[test]
fn to_json_loses_nothing() {
    let fixtures = Fixture::all().into_iter().map(|fixture| fixture.json());
    for model in fixtures.chain(summaries().into_iter().map(|(model, _)| model)) {
        let architecture = Architecture::from_json(&model, "model.json").unwrap();
        assert_eq!(Architecture::from_json(&architecture.to_json(), "model.json").unwrap(), architecture);
    }
}

/// `tests/fixtures/check_to_json.py` shows that Keras 2.3 to 3 load exactly these texts.
#[test]
fn to_json_writes_what_keras_was_seen_to_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in ["vgg16", "mini_vgg_channels_first", "every_layer_functional"] {
        let model = fs::read_to_string(root.join(format!("keras/keras-3/{name}.json"))).unwrap();
        let written = Architecture::from_json(&model, name).unwrap().to_json();
        let path = root.join(format!("to_json/{name}.json"));
        if std::env::var_os("WRITE_FIXTURES").is_some() {
            fs::write(&path, &written).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            written,
            "WRITE_FIXTURES=1 writes it; then run check_to_json.py"
        );
    }
}

/// A functional model says who feeds whom; the order of its list means nothing.
#[test]
fn a_functional_model_may_list_its_layers_in_any_order() {
    for fixture in Fixture::all().iter().filter(|fixture| fixture.expected.functional) {
        let mut model: Value = serde_json::from_str(&fixture.json()).unwrap();
        let layers = model["config"]["layers"].as_array_mut().unwrap();
        layers.rotate_left(3);
        layers.swap(0, 2);
        let shuffled = Architecture::from_json(&model.to_string(), &fixture.architecture().origin).unwrap();
        assert_eq!(shuffled, fixture.architecture());
    }
}

/// Keras 1.0.0 to 1.0.2 had no `bias=`: there always was one.
#[test]
fn without_a_word_on_it_a_layer_has_a_bias() {
    let mut model = fixture("keras-1.2-tensorflow", "mini_vgg");
    let read = |model: &Value| Architecture::from_json(&model.to_string(), "model.json").unwrap();
    let expected = read(&model);
    for layer in model["config"].as_array_mut().unwrap() {
        layer["config"].as_object_mut().unwrap().remove("bias");
    }
    assert_eq!(read(&model), expected);
}

#[test]
fn keras_1_names_the_sides_that_are_padded() {
    let mut model = fixture("keras-1.2-tensorflow", "every_layer");
    let mut padded = |padding: Value| {
        model["config"][0]["config"]["padding"] = padding;
        Architecture::from_json(&model.to_string(), "model.json").map(|model| model.layers[0].kind.clone())
    };
    let padding = [[1, 0], [0, 3]];
    let expected = LayerKind::ZeroPadding2D { padding };
    assert_eq!(padded(json!({"top_pad": 1, "right_pad": 3})).unwrap(), expected);
    assert_eq!(padded(json!({"top_pad": 1, "bottom_pad": 0, "left_pad": 0, "right_pad": 3})).unwrap(), expected);
    for unknown in [json!({"top": 1}), json!([1, 2, 3]), json!([])] {
        let error = padded(unknown).unwrap_err().to_string();
        assert!(error.contains("its padding is none of"), "{error}");
    }
}

fn fixture(generation: &str, model: &str) -> Value {
    let stem = format!("{generation}/{model}");
    let fixture = Fixture::all().into_iter().find(|fixture| fixture.stem.ends_with(&stem)).unwrap();
    serde_json::from_str(&fixture.json()).unwrap()
}

/// A Keras 3 fixture with one change, and the words that its error must have.
#[track_caller]
fn refused(model: &str, words: &[&str], change: impl FnOnce(&mut Value)) {
    let mut value = fixture("keras-3", model);
    change(&mut value);
    let error = Architecture::from_json(&value.to_string(), "model.json").expect_err("accepted").to_string();
    for word in ["model.json"].iter().chain(words) {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let layer = |index: usize| format!("/config/layers/{index}/config");
    let set = |index: usize, key: &str, value: Value| {
        let (pointer, key) = (layer(index), key.to_owned());
        move |model: &mut Value| model.pointer_mut(&pointer).unwrap()[key] = value
    };
    refused("mini_vgg", &["conv2d (SeparableConv2D)", "not supported", "Conv2D", "Flatten"], |model| {
        model["config"]["layers"][1]["class_name"] = json!("SeparableConv2D");
    });
    refused("mini_vgg", &["Custom>Conv2D", "conv2d"], |model| {
        model["config"]["layers"][1]["registered_name"] = json!("Custom>Conv2D");
    });
    refused("mini_vgg", &["MyModel", "Sequential", "Functional"], |model| model["class_name"] = json!("MyModel"));
    refused("mini_vgg", &["conv2d (Sequential)", "one chain"], |model| {
        model["config"]["layers"][1]["class_name"] = json!("Sequential");
    });
    refused("mini_vgg", &["conv2d (Conv2D)", "dilation_rate", "[2, 2]"], set(1, "dilation_rate", json!([2, 2])));
    refused("mini_vgg", &["conv2d (Conv2D)", "groups is 2"], set(1, "groups", json!(2)));
    refused("mini_vgg", &["conv2d (Conv2D)", "`elu`", "`relu`"], set(1, "activation", json!("elu")));
    refused("mini_vgg", &["conv2d (Conv2D)", "`causal`", "`same`"], set(1, "padding", json!("causal")));
    refused("mini_vgg", &["conv2d (Conv2D)", "int8_from_float32"], set(1, "dtype", json!("int8_from_float32")));
    refused(
        "mini_vgg",
        &["channels_first", "channels_last", "conv2d_1"],
        set(2, "data_format", json!("channels_first")),
    );
    refused("mini_vgg", &["flatten (Flatten)"], set(6, "data_format", json!("channels_first")));
    refused("mini_vgg_channels_first", &["conv2d_1 (Conv2D)", "last axis"], set(2, "activation", json!("softmax")));
    refused("every_layer", &["batch_normalization (BatchNormalization)", "axis 1"], set(3, "axis", json!([1])));
    refused("every_layer", &["renorm"], set(3, "renorm", json!(true)));
    refused("every_layer", &["epsilon"], set(3, "epsilon", json!(-0.5)));
}

/// Keras writes what module a class is of; 3.0 also gives its own classes a registered name.
#[test]
fn a_class_of_its_author_s_own_is_refused_whatever_its_name() {
    let named = |module: Value| {
        move |model: &mut Value| {
            model["config"]["layers"][1]["module"] = module;
            model["config"]["layers"][1]["registered_name"] = json!("Conv2D");
        }
    };
    for module in [Value::Null, json!("__main__"), json!("keras_course.layers")] {
        refused("mini_vgg", &["conv2d (Conv2D)", "its author's own"], named(module));
    }
    for module in ["keras.layers", "keras.src.layers.convolutional.conv2d", "tf_keras.src.layers"] {
        let mut model = fixture("keras-3", "mini_vgg");
        named(json!(module))(&mut model);
        Architecture::from_json(&model.to_string(), "model.json").unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_model_without_a_fixed_input_size_is_refused_with_the_remedy() {
    refused("mini_vgg", &["(None, None, None, 3)", "Input((224, 224, 3))"], |model| {
        model["config"]["layers"][0]["config"]["batch_shape"] = json!([null, null, null, 3]);
    });
    // What Keras 2.2.3 to 2.3.1 write for a Sequential that was never given an input shape.
    let mut lost = fixture("keras-2.3-tensorflow", "mini_vgg");
    lost["config"].as_object_mut().unwrap().remove("build_input_shape");
    lost["config"]["layers"][0]["config"].as_object_mut().unwrap().remove("batch_input_shape");
    let error = Architecture::from_json(&lost.to_string(), "old.json").unwrap_err().to_string();
    assert!(error.contains("no input shape is recorded") && error.contains("2.2.3"), "{error}");
    // tf.keras 2.x wraps the shape that it was built with.
    lost["config"]["build_input_shape"] = json!({"class_name": "TensorShape", "items": [null, 12, 10, 3]});
    let found = Architecture::from_json(&lost.to_string(), "old.json").unwrap();
    assert_eq!(found.input, Shape::Map { h: 12, w: 10, c: 3 });
}

#[test]
fn a_functional_model_must_be_one_chain() {
    let model = "mini_vgg_functional";
    let history = |layer: usize| format!("/config/layers/{layer}/inbound_nodes/0/args/0/config/keras_history/0");
    refused(model, &["block1_conv2", "not on the chain", "predictions"], |value| {
        *value.pointer_mut(&history(3)).unwrap() = json!("block1_conv1");
    });
    refused(model, &["fc1 (Dense)", "takes 2 inputs (flatten, input_1)"], |value| {
        let extra = value["config"]["layers"][1]["inbound_nodes"][0]["args"][0].clone();
        value["config"]["layers"][7]["inbound_nodes"][0]["args"].as_array_mut().unwrap().push(extra);
    });
    refused(model, &["fc1 (Dense)", "used 2 times"], |value| {
        let nodes = value["config"]["layers"][7]["inbound_nodes"].as_array_mut().unwrap();
        nodes.push(nodes[0].clone());
    });
    refused(model, &["2 outputs (fc2, predictions)"], |value| {
        value["config"]["output_layers"] = json!([["fc2", 0, 0], ["predictions", 0, 0]]);
    });
    refused(model, &["0 inputs"], |value| value["config"]["input_layers"] = json!([]));
    refused(model, &["no_such_layer"], |value| value["config"]["output_layers"] = json!([["no_such_layer", 0, 0]]));
    refused(model, &["block1_conv1 (Conv2D)", "fc1", "already"], |value| {
        *value.pointer_mut(&history(1)).unwrap() = json!("fc1");
    });
    refused(model, &["fc1", "same name"], |value| value["config"]["layers"][8]["name"] = json!("fc1"));
    let training = |training: Value| {
        move |model: &mut Value| model["config"]["layers"][7]["inbound_nodes"][0]["kwargs"]["training"] = training
    };
    for value in [json!(true), json!(1), json!(1.0), json!("yes")] {
        refused(model, &["fc1 (Dense)", "training=True"], training(value));
    }
    for value in [json!(false), json!(0), Value::Null] {
        let mut accepted = fixture("keras-3", model);
        training(value)(&mut accepted);
        Architecture::from_json(&accepted.to_string(), "model.json").unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn impossible_sizes_are_refused_without_allocating() {
    let huge = [json!(1_000_000_000u64), json!(u64::MAX), json!(-1), json!(2.5), json!(0), json!("4")];
    let keys = ["filters", "kernel_size", "strides", "pool_size", "units", "padding", "batch_shape"];
    for model in ["mini_vgg", "every_layer", "mini_vgg_functional"] {
        let original = fixture("keras-3", model);
        for (index, key, value) in
            original["config"]["layers"].as_array().unwrap().iter().enumerate().flat_map(|(index, layer)| {
                let present = keys.iter().filter(move |key| layer["config"].get(**key).is_some());
                present.flat_map(|key| huge.iter().map(move |value| (index, *key, value.clone()))).collect::<Vec<_>>()
            })
        {
            let mut changed = original.clone();
            let slot = &mut changed["config"]["layers"][index]["config"][key];
            *slot = match slot {
                Value::Array(items) => Value::Array(vec![value.clone(); items.len()]),
                _ => value,
            };
            // Some, such as a stride of 10^9, are odd but possible; none may panic, and all must stay countable.
            if let Ok(architecture) = Architecture::from_json(&changed.to_string(), "model.json") {
                let total: usize = (0..architecture.layers.len()).map(|index| params(&architecture, index)).sum();
                assert!(total < 1 << 45);
            }
        }
    }
    refused("mini_vgg", &["conv2d", "impossibly large"], |model| {
        model["config"]["layers"][1]["config"]["kernel_size"] = json!([1u64 << 40, 1u64 << 40]);
    });
    refused("mini_vgg", &["impossibly large"], |model| {
        model["config"]["layers"][0]["config"]["batch_shape"] = json!([null, 1u64 << 40, 1u64 << 40, 3]);
    });
}

#[test]
fn text_that_is_no_architecture_is_refused() {
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"class_name\": 3}",
        "{\"class_name\": \"Sequential\"}",
        &deep,
        "{\"class_name\": \"Sequential\", \"config\": []}",
        "{\"class_name\": \"Model\", \"config\": []}",
    ] {
        let error = Architecture::from_json(text, "model.json").unwrap_err();
        assert!(error.to_string().starts_with("model.json: "), "{error}");
    }
}

/// A few thousand fixtures with random bytes changed, cut out or doubled: an answer or an error, never a panic.
#[test]
fn mutated_fixtures_never_panic() {
    let texts: Vec<Vec<u8>> = Fixture::all().iter().map(|fixture| fixture.json().into_bytes()).collect();
    let mutation =
        (0..texts.len(), proptest::collection::vec((0usize..1 << 20, 0usize..4, proptest::num::u8::ANY), 1..6));
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() })
        .run(&mutation, |(text, edits)| {
            let mut bytes = texts[text].clone();
            for (position, edit, byte) in edits {
                let at = position % bytes.len();
                match edit {
                    0 => bytes[at] = b"0123456789[]{}\",:-.enu"[usize::from(byte) % 22],
                    1 => bytes.insert(at, b"0123456789"[usize::from(byte) % 10]),
                    2 => drop(bytes.drain(at..(at + usize::from(byte % 16) + 1).min(bytes.len()))),
                    _ => {
                        let piece = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            let read = Architecture::from_json(&String::from_utf8_lossy(&bytes), "model.json");
            let count = if read.is_ok() { &accepted } else { &refused };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 100 && refused.get() > 100, "{accepted:?} accepted, {refused:?} refused: hardly a test");
}
