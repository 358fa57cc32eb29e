//! Tuning: what is measured is kept, and what is kept is made use of. Without an adapter these tests fail, unless
//! VGG_WGPU_SKIP_GPU_TESTS=1 is set: then they show as ignored. They do so where the cache folder cannot be moved by
//! XDG_CACHE_HOME, too.

mod cli_fixture;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use cli_fixture::Fixture;
use libtest_mimic::{Arguments, Trial};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use vgg_wgpu::Network;
use vgg_wgpu::device::{self, Device, DeviceChoice, gpu_or_cpu};
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::keras::{Architecture, untrained};
use vgg_wgpu::ops::PreprocessMode;

const MODEL: &str = "model.json";

fn main() -> ExitCode {
    let skip =
        std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1") || !cfg!(target_os = "linux");
    let tests: [(&str, fn()); 5] = [
        ("every_layer_shape_gets_one_of_the_methods_that_were_measured", every_layer_gets_a_method),
        ("what_was_measured_is_planned_with_until_it_is_damaged_or_of_another_adapter", what_was_measured_is_used),
        ("a_run_measures_when_told_and_goes_on_where_nothing_can_be_kept", a_run_measures_when_told),
        ("hardware_is_measured_for_the_size_of_batches", hardware_is_measured_for_the_size_of_batches),
        ("a_gpu_that_is_much_slower_than_the_cpu_is_not_taken", a_gpu_that_is_much_slower_than_the_cpu_is_not_taken),
    ];
    let own = Fixture::new();
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("XDG_CACHE_HOME", own.path("cache")) };
    let trials = tests.map(|(name, test)| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(skip)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A folder with a model whose middle layers have several methods, and two of these the same shape.
fn fixture() -> Fixture {
    let layer = |class: &str, config: &str| format!(r#"{{"class_name": "{class}", "config": {{{config}}}}}"#);
    let conv2d = |filters: usize, name: &str| {
        let config = format!(
            r#""name": "{name}", "filters": {filters}, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same",
               "data_format": "channels_last", "dilation_rate": [1, 1], "activation": "relu", "use_bias": true"#
        );
        layer("Conv2D", &config)
    };
    let layers = [
        layer("InputLayer", r#""name": "input", "batch_shape": [null, 28, 28, 3]"#),
        conv2d(16, "first"),
        conv2d(16, "second"),
        conv2d(16, "third"),
        conv2d(20, "fourth"),
        conv2d(24, "fifth"),
        conv2d(28, "sixth"),
        layer("GlobalMaxPooling2D", r#""name": "pool", "data_format": "channels_last""#),
    ];
    let fixture = Fixture::new();
    let config = format!(r#""name": "model", "layers": [{}]"#, layers.join(", "));
    fs::write(fixture.path(MODEL), layer("Sequential", &config)).unwrap();
    fixture
}

fn run(fixture: &Fixture, command: &str) -> assert_cmd::assert::Assert {
    fixture.run(&[command, "--model", MODEL, "--weights", "untrained"])
}

/// The file that a tuning was kept in.
fn kept(fixture: &Fixture) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(fixture.path("cache/vgg-wgpu")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0).unwrap().path()
}

fn every_layer_gets_a_method() {
    let fixture = fixture();
    let printed = run(&fixture, "tune").code(0).get_output().stdout.clone();
    let printed = String::from_utf8(printed).unwrap();
    let layers: Vec<_> = printed.lines().filter(|line| !line.starts_with(' ')).collect();
    let methods: Vec<_> = printed.lines().filter(|line| line.starts_with("  ")).collect();
    let chosen: Vec<_> = methods.iter().filter(|line| line.starts_with("  *")).collect();
    assert!(chosen.len() > 3 && chosen.len() < layers.len(), "{printed}");
    assert!(chosen.iter().all(|line| !line.ends_with(" -")), "{printed}");
    assert!(methods.len() > 2 * chosen.len(), "{printed}");
    let all: Vec<_> = printed.lines().collect();
    let predicted = all.windows(2).filter(|pair| !pair[0].starts_with(' ') && pair[1].starts_with("  "));
    for pair in predicted {
        assert!(!pair[1].ends_with(" -"), "{} keeps a method that nobody measured: {printed}", pair[0]);
    }
}

fn what_was_measured_is_used() {
    let fixture = fixture();
    run(&fixture, "plan").code(0).stdout(contains("winograd"));
    run(&fixture, "tune").code(0);

    let mut tuning: serde_json::Value = serde_json::from_slice(&fs::read(kept(&fixture)).unwrap()).unwrap();
    for choice in tuning["choices"].as_array_mut().unwrap() {
        if choice[0].get("Conv2d").is_some() {
            choice[1] = "Direct".into();
        }
    }
    fs::write(kept(&fixture), tuning.to_string()).unwrap();
    run(&fixture, "plan").code(0).stdout(contains("conv2d_3x3").and(contains("winograd").not()));
    run(&fixture, "verify").code(0).stderr(contains("warning").not());

    tuning["measured_on"]["adapter"] = "another".into();
    fs::write(kept(&fixture), tuning.to_string()).unwrap();
    run(&fixture, "plan").code(0).stdout(contains("winograd"));

    fs::write(kept(&fixture), "{").unwrap();
    run(&fixture, "plan").code(0).stderr(contains("warning").and(contains("not used"))).stdout(contains("winograd"));
    run(&fixture, "tune").code(0);
    run(&fixture, "plan").code(0).stderr(contains("warning").not());
}

fn a_run_measures_when_told() {
    let fixture = fixture();
    let extract = |more: &[&str]| {
        let fixed = ["extract", "images", "--model", MODEL, "--weights", "untrained", "--device", "gpu", "--overwrite"];
        fixture.run(&[&fixed, more].concat()).code(0)
    };
    extract(&[]);
    assert!(!fixture.path("cache/vgg-wgpu").exists(), "three images are not worth it");
    for index in 0..1000 {
        fs::hard_link(fixture.path("images/a.bmp"), fixture.path(&format!("images/{index}.bmp"))).unwrap();
    }
    extract(&[]);
    assert!(!fixture.path("cache/vgg-wgpu").exists(), "nor is a run of a few seconds");
    // A file where the folder should be.
    fs::create_dir_all(fixture.path("cache")).unwrap();
    fs::write(fixture.path("cache/vgg-wgpu"), "").unwrap();
    extract(&["--tune", "force"]).stderr(contains("cannot be kept"));
    fs::remove_file(fixture.path("cache/vgg-wgpu")).unwrap();
    extract(&["--tune", "force"]).stderr(contains("warning").not());
    assert!(kept(&fixture).exists());
    extract(&["--tune", "off"]);
}

/// What is over in a moment whatever the batch is tried in large ones; VGG16 on a rasteriser takes too long for that.
fn hardware_is_measured_for_the_size_of_batches() {
    let tune = |network: &Network, asked: Option<usize>, is_hardware: bool| {
        let Device::Gpu(adapter) = device::select(&DeviceChoice::Gpu).unwrap().device else { unreachable!() };
        let adapter = if is_hardware { adapter.as_hardware() } else { *adapter };
        let device = Device::Gpu(Box::new(adapter));
        let mut notice = |line: &str| panic!("{line}");
        let tuned = device.tuned(network, asked, TuneMode::AutoFor(1000), &mut notice).unwrap();
        tuned.executor(network.clone(), asked).unwrap().max_batch()
    };
    let small = small_network();
    let measured = tune(&small, None, true);
    assert!([8, 16, 32].contains(&measured), "{measured}");
    assert_eq!(tune(&small, Some(4), true), 4);
    assert_eq!(tune(&small, None, false), 8);
}

fn small_network() -> Network {
    let json = fs::read_to_string(fixture().path(MODEL)).unwrap();
    let model = untrained::model(Architecture::from_json(&json, MODEL).unwrap(), 0);
    model.network(Some(PreprocessMode::Caffe)).unwrap()
}

/// The only test that keeps something in this process's own cache folder.
fn a_gpu_that_is_much_slower_than_the_cpu_is_not_taken() {
    let network = small_network();
    let select = |mode: TuneMode| {
        let Device::Gpu(adapter) = device::select(&DeviceChoice::Gpu).unwrap().device else { unreachable!() };
        let mut notice = |line: &str| panic!("{line}");
        let selected = gpu_or_cpu(adapter, "it is there".into(), &network, mode, &mut notice).unwrap();
        (matches!(selected.device, Device::Cpu), selected.reason)
    };
    let unknown = (false, "it is there".to_owned());
    assert_eq!(select(TuneMode::Cached), unknown, "nothing is known, and nothing was to be measured");
    let (is_cpu, reason) = select(TuneMode::AutoFor(1000));
    let folder = PathBuf::from(std::env::var_os("XDG_CACHE_HOME").unwrap()).join("vgg-wgpu");
    let path = fs::read_dir(folder).unwrap().next().expect("it was kept").unwrap().path();
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let times = kept["times_of_cpu"][0][1].as_f64().unwrap();
    assert!(times > 0.0 && (times > 1.5) == is_cpu, "{times}, {reason}");
    for (times, modes) in [(10.0, [TuneMode::Cached, TuneMode::Auto]), (1.4, [TuneMode::Auto, TuneMode::Cached])] {
        kept["times_of_cpu"][0][1] = times.into();
        fs::write(&path, kept.to_string()).unwrap();
        for (is_cpu, reason) in modes.map(select) {
            assert_eq!(
                (is_cpu, reason.contains("takes 10.0 times as long")),
                (times == 10.0, times == 10.0),
                "{reason}"
            );
        }
        assert_eq!(select(TuneMode::Off), unknown);
    }
    select(TuneMode::Force);
    assert_ne!(fs::read_to_string(&path).unwrap(), kept.to_string(), "it was measured anew");
}
