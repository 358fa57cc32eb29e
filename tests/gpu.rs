//! What only a GPU can show, apart from the single ops in tests/ops.rs. Without an adapter these tests fail, unless
//! VGG_WGPU_SKIP_GPU_TESTS=1 is set: then they show as ignored.

mod cli_fixture;
mod keras_fixture;

use std::fs;
use std::process::ExitCode;

use cli_fixture::runs::Runs;
use libtest_mimic::{Arguments, Trial};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use vgg_wgpu::device::{self, Device, DeviceChoice};
use vgg_wgpu::fallback::{FallbackExecutor, Place};
use vgg_wgpu::gpu::{self, Adapter, GpuExecutor};
use vgg_wgpu::{Executor, Input};

const DRIVER_LOSES: &str = "a_device_that_its_driver_loses_is_opened_anew";
const DOES_NOT_FIT: &str = "what_does_not_fit_goes_on_on_the_cpu";
const FIRST_FEATURES: &str = "the_first_features_wait_for_no_other_batch";
const OUT_OF_MEMORY: &str = "a_gpu_out_of_memory_goes_on_with_smaller_batches";

fn main() -> ExitCode {
    let skip = std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1");
    let tests: [(&str, fn()); 10] = [
        ("the_gpu_computes_what_keras_does", the_gpu_computes_what_keras_does),
        ("it_does_with_texels_in_buffers_too", it_does_with_texels_in_buffers_too),
        ("the_gpu_writes_the_same_pixels_as_the_cpu", the_gpu_writes_the_same_pixels_as_the_cpu),
        ("verify_compares_layer_by_layer", verify_compares_layer_by_layer),
        ("plan_shows_shaders_and_the_least_time", plan_shows_shaders_and_the_least_time),
        (FIRST_FEATURES, the_first_features_wait_for_no_other_batch),
        ("a_lost_device_is_opened_anew", a_lost_device_is_opened_anew),
        (DRIVER_LOSES, a_device_that_its_driver_loses_is_opened_anew),
        (DOES_NOT_FIT, what_does_not_fit_goes_on_on_the_cpu),
        (OUT_OF_MEMORY, a_gpu_out_of_memory_goes_on_with_smaller_batches),
    ];
    let trials = tests.map(|(name, test)| {
        let run = move || {
            test();
            Ok(())
        };
        let ignored = skip
            || match name {
                // A shell limits the memory of a rasteriser, and its textures are limited, unlike hardware's buffers.
                OUT_OF_MEMORY | DOES_NOT_FIT => is_hardware(),
                // Which has them all at once.
                FIRST_FEATURES => is_hardware(),
                DRIVER_LOSES => !cfg!(target_os = "linux"),
                _ => false,
            };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Whether `--device gpu` is none that is made of the CPU.
fn is_hardware() -> bool {
    gpu::adapters().iter().any(Adapter::is_hardware)
}

/// One of each fixture's files, because each executor opens its device anew.
fn the_gpu_computes_what_keras_does() {
    for fixture in keras_fixture::Fixture::all() {
        let (what, model) = fixture.models().swap_remove(0);
        keras_fixture::compare::every_layer(&fixture, &what, model, &|network, n| {
            device::select(&DeviceChoice::Gpu)?.device.executor(network, Some(n))
        });
    }
}

/// As hardware has them, without the guards of the op tests: rows that follow each other are copied at once.
fn it_does_with_texels_in_buffers_too() {
    let fixture = keras_fixture::Fixture::all().swap_remove(0);
    let (what, model) = fixture.models().swap_remove(0);
    keras_fixture::compare::every_layer(&fixture, &what, model, &|network, n| {
        let Device::Gpu(adapter) = device::select(&DeviceChoice::Gpu)?.device else { unreachable!("asked for a GPU") };
        Ok(Box::new(GpuExecutor::new(network, &adapter.as_hardware(), Some(n))?))
    });
}

fn the_gpu_writes_the_same_pixels_as_the_cpu() {
    let fixture = cli_fixture::Fixture::new();
    fixture.extract(&["-o", "cpu.pkl"]).code(0);
    let gpu = ["extract", "images", "--model", "pixels.json", "--weights", "untrained", "--device", "gpu"];
    fixture.run(&[&gpu[..], &["-o", "gpu.pkl"]].concat()).code(0);
    assert_eq!(fs::read(fixture.path("cpu.pkl")).unwrap(), fs::read(fixture.path("gpu.pkl")).unwrap());
}

fn verify_compares_layer_by_layer() {
    let fixture = cli_fixture::Fixture::new();
    let verify = ["verify", "images/a.bmp", "--model", "pixels.json", "--weights", "untrained"];
    fixture.run(&verify).code(0).stdout(contains("flatten").and(contains("0.000e0")));
    fixture.run(&["verify", "--device", "cpu"]).code(2).stderr(contains("--device"));
}

fn plan_shows_shaders_and_the_least_time() {
    let fixture = cli_fixture::Fixture::new();
    let plan = ["plan", "--weights", "untrained", "--batch", "8", "--peak-tflops", "20", "--peak-gb-per-s", "500"];
    // fc1 reads 411 MB of weights for 8 images.
    let fc1 = contains("(None, 4096)")
        .and(contains("1.64     412.0      4.0     0.824"))
        .and(contains(if is_hardware() { "dense_split (memory)" } else { "dense broadcast (memory)" }));
    fixture.run(&plan).code(0).stdout(fc1.and(contains("batches of 8")).and(contains("20 TFLOP/s")));
    fixture.run(&["plan", "--peak-tflops", "0"]).code(2);
}

/// A run begins with one image, whose features show that all is well long before a batch is over.
fn the_first_features_wait_for_no_other_batch() {
    let runs = Runs::new(65);
    let run = runs.run(&["--device", "gpu", "--batch", "32", "--json"]).code(0);
    let summary: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let [first, all] = ["seconds_to_first_batch", "seconds"].map(|name| summary[name].as_f64().unwrap());
    assert!(first < all / 3.0, "{first} of {all} s");
}

/// The device is really lost, with two batches under way.
fn a_lost_device_is_opened_anew() {
    let network = || {
        let fixture = keras_fixture::Fixture::all().swap_remove(0);
        fixture.models().swap_remove(0).1.network(None).unwrap()
    };
    let values: Vec<f32> = (0..4 * network().input.len()).map(|index| (index % 255) as f32 / 255.0).collect();
    let mut cpu = device::Device::Cpu.executor(network(), Some(4)).unwrap();
    let expected = cpu.run(Input::Values(&values)).unwrap();

    let Device::Gpu(adapter) = device::select(&DeviceChoice::Gpu).unwrap().device else { unreachable!() };
    let (lose, losses) = std::sync::mpsc::channel();
    let make = move |place| {
        let Place::Gpu { batch } = place else { panic!("the GPU can be opened again") };
        let executor = GpuExecutor::new(network(), &adapter, Some(batch))?;
        lose.send(executor.fuse()).unwrap();
        Ok(Box::new(executor) as Box<dyn Executor>)
    };
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notices = told.clone();
    let notice = move |line: &str| notices.lock().unwrap().push(line.to_owned());
    let sample_len = values.len() / 4;
    let mut executor =
        FallbackExecutor::new(sample_len, Place::Gpu { batch: 4 }, Box::new(make), Box::new(notice)).unwrap();
    executor.submit(Input::Values(&values)).unwrap();
    losses.recv().unwrap()();
    executor.submit(Input::Values(&values)).unwrap();
    for _ in 0..2 {
        let actual = executor.collect().unwrap();
        let close = actual.data.iter().zip(&expected.data).all(|(a, e)| (a - e).abs() <= 1e-5);
        assert!(close && actual.n == expected.n, "{actual:?}");
    }
    let told = told.lock().unwrap();
    assert!(matches!(&told[..], [line] if line.contains("in batches of 2")), "{told:?}");
}

/// A Vulkan layer has each of the program's waits fail in turn, as a driver does whose GPU was reset.
fn a_device_that_its_driver_loses_is_opened_anew() {
    let fixture = cli_fixture::Fixture::new();
    let layer = fixture.path("liblost_device.so");
    let rustc = std::env::var("RUSTC").unwrap_or("rustc".into());
    let compiled = assert_cmd::Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "tests/lost_device/layer.rs", "-o"])
        .arg(&layer)
        .assert();
    compiled.success();
    let manifest = serde_json::json!({
        "file_format_version": "1.1.0",
        "layer": {
            "name": "VK_LAYER_LOST_DEVICE", "type": "GLOBAL", "library_path": layer, "api_version": "1.3.0",
            "implementation_version": "1", "description": "Loses the device",
        },
    });
    fs::write(fixture.path("lost_device.json"), manifest.to_string()).unwrap();
    fixture.extract(&["-o", "cpu.pkl"]).code(0);
    let mut losses = 0;
    // Of a small run there are not so many.
    for wait in 1..=16 {
        let arguments = "extract images --model pixels.json --weights untrained --device gpu --overwrite";
        let run = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("vgg-wgpu"))
            .args(arguments.split(' '))
            .current_dir(fixture.path(""))
            .env("VK_LAYER_PATH", fixture.path(""))
            .env("VK_INSTANCE_LAYERS", "VK_LAYER_LOST_DEVICE")
            .env("LOSE_AT", wait.to_string())
            .assert()
            .code(0);
        assert_eq!(fs::read(fixture.path("cpu.pkl")).unwrap(), fs::read(fixture.path("features.pkl")).unwrap());
        losses += usize::from(String::from_utf8_lossy(&run.get_output().stderr).contains("the device was lost"));
    }
    assert!(losses >= 3, "only {losses} waits failed");
}

fn what_does_not_fit_goes_on_on_the_cpu() {
    let fixture = cli_fixture::Fixture::new();
    // A row of more texels than a rasteriser's texture has.
    let model = fs::read_to_string(fixture.path("pixels.json")).unwrap().replace("4, 4, 3", "1, 32768, 3");
    fs::write(fixture.path("wide.json"), model).unwrap();
    let plan = ["plan", "--model", "wide.json", "--weights", "untrained"];
    fixture.run(&plan).code(5).stderr(contains("cannot run the network"));
    let extract = ["extract", "images", "--model", "wide.json", "--weights", "untrained", "--device", "gpu"];
    fixture.run(&extract).code(0).stderr(contains("cannot run the network").and(contains("Going on on the CPU")));
}

/// Lavapipe's memory is the process's, and a shell can limit that. Batches of 64 take more than 1 GB here.
fn a_gpu_out_of_memory_goes_on_with_smaller_batches() {
    let fixture = cli_fixture::Fixture::new();
    let layer = |class: &str, config: &str| format!(r#"{{"class_name": "{class}", "config": {{{config}}}}}"#);
    let layers = [
        layer("InputLayer", r#""name": "input", "batch_shape": [null, 224, 224, 3]"#),
        layer(
            "Conv2D",
            r#""name": "conv", "filters": 64, "kernel_size": [1, 1], "strides": [1, 1], "padding": "same",
               "data_format": "channels_last", "dilation_rate": [1, 1], "activation": "relu", "use_bias": true"#,
        ),
        layer("GlobalMaxPooling2D", r#""name": "pool", "data_format": "channels_last""#),
    ];
    let config = format!(r#""name": "wide", "layers": [{}]"#, layers.join(", "));
    fs::write(fixture.path("wide.json"), layer("Sequential", &config)).unwrap();
    let command = |output: &str, batch: usize, limit: &str| {
        let program = assert_cmd::cargo::cargo_bin!("vgg-wgpu").display();
        let line = format!(
            "ulimit -v {limit}; exec '{program}' extract images --model wide.json --weights untrained --layer pool \
             --device gpu --batch {batch} -o {output}"
        );
        assert_cmd::Command::new("sh").args(["-c", &line]).current_dir(fixture.path("")).assert()
    };
    command("whole.pkl", 2, "unlimited").code(0);
    let anew = contains("Out of Memory").and(contains("opened anew, in batches of 32"));
    command("limited.pkl", 64, "1500000").code(0).stderr(anew);
    assert_eq!(fs::read(fixture.path("whole.pkl")).unwrap(), fs::read(fixture.path("limited.pkl")).unwrap());
}
