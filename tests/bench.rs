//! `vgg-wgpu bench`, on both devices. What needs a GPU fails without an adapter, unless VGG_WGPU_SKIP_GPU_TESTS=1 is set:
//! then it shows as ignored.

mod cli_fixture;

use std::path::Path;
use std::process::ExitCode;

use cli_fixture::Fixture;
use libtest_mimic::{Arguments, Trial};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use vgg_wgpu::keras::{Architecture, Model, export};
use vgg_wgpu::{LayerChoice, Parameter};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/keras-3/mini_vgg_functional.json");

/// Its layers that compute something, without the classifier that `--layer auto` drops.
const LAYERS: [&str; 8] =
    ["block1_conv1", "block1_conv2", "block1_pool", "block2_conv1", "block2_pool", "flatten", "fc1", "fc2"];

fn main() -> ExitCode {
    let skip = std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1");
    let tests: [(&str, bool, fn()); 5] = [
        ("cpu::the_report_as_json", false, || check_report("cpu", &[], "host")),
        ("gpu::the_report_as_json", skip, || check_report("gpu", &[], "gpu")),
        ("gpu::the_report_without_timestamps", skip, || {
            check_report("gpu", &["--host-clock", "--tune", "off"], "host")
        }),
        ("cpu::the_report_as_text_and_shares_of_peaks", false, the_report_as_text_and_shares_of_peaks),
        ("cpu::wrong_results_are_not_timed", false, wrong_results_are_not_timed),
    ];
    let trials = tests.map(|(name, ignored, test)| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn report(device: &str, more: &[&str]) -> Value {
    let fixed = ["bench", "--model", MODEL, "--device", device, "--batch", "3", "--rounds", "5", "--json"];
    let output = Fixture::new().run(&[&fixed, more].concat()).code(0).get_output().stdout.clone();
    serde_json::from_slice(&output).expect("nothing but JSON on standard output")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// How much time things take is not asserted: that depends on who else is at work.
fn check_report(device: &str, more: &[&str], clock: &str) {
    let report = report(device, more);
    assert_eq!(report["clock"], clock, "whose clock: lavapipe and every desktop GPU have timestamps");
    assert_eq!((&report["batch"], &report["rounds"]), (&3.into(), &5.into()));
    assert_eq!((&report["layer"], &report["output"]), (&"fc2".into(), &serde_json::json!([7])));
    assert!(report["weights"].as_str().unwrap().contains("untrained"), "{}", report["weights"]);
    assert_eq!(report["check"]["is_rounding"], true);
    assert_eq!(report["check"]["samples"], if device == "cpu" { 1 } else { 3 });

    let layers = report["layers"].as_array().unwrap();
    let names: Vec<&str> = layers.iter().flat_map(|layer| layer["layer"].as_str().unwrap().split(" + ")).collect();
    assert_eq!(names, [&["preprocess"], &LAYERS[..]].concat(), "every layer once, in order");
    for layer in layers {
        let (median, name) = (number(&layer["seconds"]["median"]), &layer["layer"]);
        assert!(median > 0.0, "{name} takes no time");
        let gb_per_s = number(&layer["bytes"]) / median / 1e9;
        assert!((number(&layer["gb_per_s"]) / gb_per_s - 1.0).abs() < 1e-9, "{name}");
        assert_eq!(layer["share_of_peak_tflops"], Value::Null, "no peak is known");
        assert_eq!(layer["shaders"].is_string(), device == "gpu", "{name}");
    }
    let sum: f64 = layers.iter().map(|layer| number(&layer["seconds"]["median"])).sum();
    assert!((number(&report["layers_seconds"]) / sum - 1.0).abs() < 1e-9);
    let rate = 3.0 / number(&report["batch_seconds"]["median"]);
    assert!((number(&report["images_per_second"]["median"]) / rate - 1.0).abs() < 1e-9);
}

fn the_report_as_text_and_shares_of_peaks() {
    let fixed = ["bench", "--model", MODEL, "--device", "cpu", "--layer", "block1_conv2", "--rounds", "1"];
    let text = contains("checked:").and(contains("block1_conv2")).and(contains("images/s")).and(contains("TFLOP/s"));
    Fixture::new().run(&fixed).code(0).stdout(text.and(contains("of peak").not()));
    let peaks = ["--peak-tflops", "0.5", "--peak-gb-per-s", "20"];
    Fixture::new().run(&[&fixed[..], &peaks].concat()).code(0).stdout(contains("of peak"));
    let conv = &report("cpu", &peaks)["layers"][1];
    assert!((number(&conv["share_of_peak_tflops"]) * 0.5 / number(&conv["tflops"]) - 1.0).abs() < 1e-9);
    assert!((number(&conv["share_of_peak_gb_per_s"]) * 20.0 / number(&conv["gb_per_s"]) - 1.0).abs() < 1e-9);
}

/// Sums that overflow are NaN on every device: no agreement.
fn wrong_results_are_not_timed() {
    let fixture = Fixture::new();
    let architecture = Architecture::open(Path::new(MODEL)).unwrap();
    let parameters = architecture.layers.iter().enumerate().map(|(index, layer)| {
        let shapes = layer.kind.parameters(architecture.input_of(index)).into_iter();
        let huge = |shape: &[usize]| vec![3e38; shape.iter().product()];
        shapes.map(|(name, shape)| Parameter::in_memory(name, shape.clone(), huge(&shape))).collect()
    });
    let parameters = parameters.collect();
    let model = Model::new(architecture, parameters, "huge weights").truncate(&LayerChoice::Auto).unwrap();
    let [json, h5] = export::write(&model, fixture.folder.path(), false).unwrap();
    let (json, h5) = (json.to_str().unwrap(), h5.to_str().unwrap());
    fixture
        .run(&["bench", "--model", json, "--weights", h5, "--device", "cpu"])
        .code(1)
        .stdout(is_empty())
        .stderr(contains("NaN").and(contains("Nothing was timed")));
}
