//! The program as a person runs it: a real process in a folder of its own.

mod cli_fixture;

use std::fs;

use cli_fixture::{Fixture, read_features};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

#[test]
fn extract_writes_every_image_under_its_stem_and_nothing_to_stdout() {
    let fixture = Fixture::new();
    fixture.extract(&[]).code(0).stdout("").stderr(contains("3 images").and(contains("features.pkl")));
    assert_eq!(read_features(&fixture.path("features.pkl")), ["a", "b", "c"]);
}

#[test]
fn a_broken_image_is_left_out_and_told_by_exit_code_3() {
    let fixture = Fixture::new();
    fs::write(fixture.path("images/d.jpg"), b"\xff\xd8\xff\xe0 this is no image").unwrap();
    fixture.extract(&[]).code(3).stderr(contains("d.jpg").and(contains("1 failed")));
    assert_eq!(read_features(&fixture.path("features.pkl")), ["a", "b", "c"]);
}

#[test]
fn a_truncated_jpeg_counts_only_when_lenient() {
    let fixture = Fixture::new();
    let cut = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/lenient/baseline_420_800.jpg");
    fs::copy(cut, fixture.path("images/d.jpg")).unwrap();
    fixture.extract(&[]).code(3).stderr(contains("d.jpg").and(contains("truncated")));
    fixture.extract(&["--overwrite", "--lenient"]).code(0);
    assert_eq!(read_features(&fixture.path("features.pkl")), ["a", "b", "c", "d"]);
}

#[test]
fn a_lost_image_is_told_in_quiet_runs_too() {
    let fixture = Fixture::new();
    fs::write(fixture.path("images/d.jpg"), b"\xff\xd8\xff\xe0 this is no image").unwrap();
    fixture.extract(&["--quiet"]).code(3).stdout("").stderr(contains("d.jpg"));
}

#[test]
fn a_foreign_file_is_passed_over() {
    let fixture = Fixture::new();
    fs::write(fixture.path("images/readme.txt"), "hello").unwrap();
    fixture.extract(&["-v"]).code(0).stderr(contains("readme.txt"));
}

#[test]
fn how_busy_each_stage_was_is_told_when_asked() {
    let fixture = Fixture::new();
    let busy = contains("2 decoding threads").and(contains("computing")).and(contains("waiting for images"));
    fixture.extract(&["-v", "--threads", "2"]).code(0).stderr(busy);
    fixture.extract(&["--overwrite"]).code(0).stderr(contains("waiting for images").not());
}

#[test]
fn an_output_that_exists_is_replaced_only_when_told() {
    let fixture = Fixture::new();
    fs::write(fixture.path("features.pkl"), "precious").unwrap();
    fixture.extract(&[]).code(2).stderr(contains("--overwrite"));
    assert_eq!(fs::read_to_string(fixture.path("features.pkl")).unwrap(), "precious");
    fixture.extract(&["--overwrite"]).code(0);
    assert_eq!(read_features(&fixture.path("features.pkl")).len(), 3);
}

#[test]
fn two_outputs_never_share_their_provenance() {
    let fixture = Fixture::new();
    let provenance = |name: &str| fs::read(fixture.path(name)).unwrap();
    for output in ["a.v1", "a.v2", "features.pickle", "features.pkl", "plain"] {
        fixture.extract(&["-o", output]).code(0);
    }
    let before = provenance("features.provenance.jsonl");
    for (output, other) in [("features", "features.pkl"), ("plain.pkl", "plain")] {
        let shared = contains(format!(".provenance.jsonl is that of {other}; choose another name"));
        fixture.extract(&["-o", output, "--overwrite"]).code(2).stderr(shared);
        assert!(!fixture.path(output).exists());
    }
    assert_eq!(provenance("features.provenance.jsonl"), before);
    for output in ["a.v1", "a.v2", "features.pickle", "features.pkl", "plain"] {
        fixture.extract(&["-o", output, "--resume"]).code(0);
    }
    // What else has such a name is no output.
    fs::write(fixture.path("notes"), "text").unwrap();
    for options in [&[][..], &["--resume"], &["--overwrite"]] {
        fixture.extract(&[&["-o", "notes.pkl"], options].concat()).code(0);
    }
}

#[test]
fn two_images_with_one_stem_are_refused_before_any_work() {
    let fixture = Fixture::new();
    fs::copy(fixture.path("images/a.bmp"), fixture.path("images/a.png")).unwrap();
    fixture.extract(&[]).code(2).stderr(contains("a.bmp").and(contains("a.png")).and(contains("--key")));
    fixture.extract(&["--key", "name"]).code(0);
    assert_eq!(read_features(&fixture.path("features.pkl")), ["a.bmp", "a.png", "b.png", "c.tiff"]);
}

#[test]
fn missing_weights_are_an_error_that_says_where_it_looked() {
    let fixture = Fixture::new();
    fixture
        .run(&["extract", "images"])
        .failure()
        .stderr(contains("vgg16_exported.h5").and(contains("keras")).and(contains("fetch")).and(contains("init")));
    assert!(!fixture.path("features.pkl").exists());
}

#[test]
fn a_model_that_is_none_is_told_by_exit_code_6() {
    let fixture = Fixture::new();
    fs::write(fixture.path("bad.json"), "<html>Not Found</html>").unwrap();
    fixture
        .run(&["extract", "images", "--model", "bad.json", "--weights", "untrained", "--device", "cpu"])
        .code(6)
        .stderr(contains("bad.json"));
}

#[test]
fn usage_errors_have_exit_code_2() {
    let fixture = Fixture::new();
    fixture.run(&["extract"]).code(2);
    fixture.run(&["extract", "images", "--batch", "0"]).code(2);
    fixture.extract(&["--layer", "fc7"]).code(2).stderr(contains("flatten"));
}

#[test]
fn an_adapter_that_is_not_there_has_exit_code_5() {
    let fixture = Fixture::new();
    let arguments = ["extract", "images", "--model", "pixels.json", "--weights", "untrained", "--device", "Voodoo 5"];
    fixture.run(&arguments).code(5).stderr(contains("Voodoo 5"));
}

#[test]
fn no_output_is_made_where_no_image_can_be_read() {
    let fixture = Fixture::new();
    for name in ["a.bmp", "b.png", "c.tiff"] {
        let path = fixture.path("images").join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..20]).unwrap();
    }
    fixture.extract(&[]).failure();
    assert!(!fixture.path("features.pkl").exists());
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 2, "a temporary file was left behind");
}

#[test]
fn json_prints_the_summary_to_stdout() {
    let fixture = Fixture::new();
    let output = fixture.extract(&["--json", "--quiet"]).code(0).stderr("").get_output().stdout.clone();
    let summary: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(summary["images"], 3);
    assert_eq!(summary["layer"], "flatten");
    assert_eq!(summary["shape"], serde_json::json!([1, 48]));
    let size = fs::metadata(fixture.path("features.pkl")).unwrap().len();
    assert_eq!(summary["output_bytes"], size);
    for stage in ["decoding", "waiting_for_images", "computing", "writing"] {
        let share = summary["stages"][stage].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{stage}: {share}");
    }
}

#[test]
fn an_output_whose_temporary_name_would_be_too_long_is_refused_at_once() {
    let fixture = Fixture::new();
    let name = format!("{}.pkl", "long".repeat(58));
    fixture.extract(&["-o", &name]).code(1).stderr(contains("cannot write the output").and(contains("done:").not()));
    assert!(!fixture.path(&format!("{name}.journal")).exists());
}

/// macOS does not create such names.
#[cfg(target_os = "linux")]
#[test]
fn json_shows_an_output_whose_name_is_not_unicode() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.pkl");
    let extract = ["extract", "images", "--model", "pixels.json", "--weights", "untrained", "--device", "cpu", "-o"];
    for (arguments, field) in [(&extract[..], "output"), (&["inspect"], "file")] {
        let mut command = assert_cmd::Command::cargo_bin("vgg-wgpu").unwrap();
        let run = command.current_dir(fixture.path("")).args(arguments).arg(name).arg("--json").assert().code(0);
        let json: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert_eq!(json[field], "caf\u{fffd}.pkl");
    }
}

#[test]
fn decoding_threads_and_batches_do_not_change_the_output() {
    let fixture = Fixture::new();
    for index in 0..20u8 {
        let path = fixture.path("images").join(format!("photo{index}.png"));
        image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([index, x as u8, y as u8])).save(path).unwrap();
    }
    let mut outputs = [("1", "1"), ("2", "3"), ("16", "auto")].iter().map(|(threads, batch)| {
        fixture.extract(&["--threads", threads, "--batch", batch, "--overwrite"]).code(0);
        fs::read(fixture.path("features.pkl")).unwrap()
    });
    let first = outputs.next().unwrap();
    assert!(outputs.all(|output| output == first));
}

#[test]
fn a_batch_may_be_larger_than_any_memory() {
    let fixture = Fixture::new();
    for batch in [1_000_000_000, usize::MAX] {
        fixture.extract(&["--batch", &batch.to_string(), "--overwrite"]).code(0);
    }
}

#[test]
fn devices_says_what_auto_takes() {
    Fixture::new().run(&["devices"]).code(0).stdout(contains("auto takes: "));
}

#[test]
fn classify_prints_the_five_highest_with_their_labels() {
    let fixture = Fixture::new();
    let labels: Vec<String> = (0..48).map(|class| format!("label{class}")).collect();
    fs::write(fixture.path("labels.txt"), labels.join("\n")).unwrap();
    let classify = ["classify", "images/a.bmp", "--model", "pixels.json", "--weights", "untrained", "--device", "cpu"];
    // Every pixel of a.bmp is (10, 100, 200), so that blue stays highest, and BGR puts it at every third place.
    let highest =
        contains("label0\n").and(contains("label3\n")).and(contains("label12\n")).and(contains("label15").not());
    fixture.run(&[&classify[..], &["--labels", "labels.txt"]].concat()).code(0).stdout(highest);
    fs::write(fixture.path("labels.txt"), "one\ntwo").unwrap();
    fixture.run(&[&classify[..], &["--labels", "labels.txt"]].concat()).code(2).stderr(contains("48"));
    fixture.run(&["classify", "images/none.jpg", "--model", "pixels.json", "--weights", "untrained"]).code(3);
}

#[test]
fn fetch_that_fails_names_the_address_and_leaves_nothing() {
    let fixture = Fixture::new();
    // Nothing listens on the discard port.
    fixture.run(&["fetch", "--url", "http://127.0.0.1:9/vgg16.h5"]).code(1).stderr(contains("127.0.0.1:9"));
    let left = fs::read_dir(fixture.path("keras/models")).map_or(0, |entries| entries.count());
    assert_eq!(left, 0);
}

#[test]
fn init_refuses_to_replace_files() {
    let fixture = Fixture::new();
    fs::write(fixture.path("vgg16_exported.json"), "precious").unwrap();
    fixture.run(&["init"]).code(2).stderr(contains("--overwrite"));
    assert_eq!(fs::read_to_string(fixture.path("vgg16_exported.json")).unwrap(), "precious");
    assert!(!fixture.path("vgg16_exported.h5").exists());
}

#[test]
fn summary_prints_the_parameters_of_vgg16() {
    let fixture = Fixture::new();
    fixture.run(&["summary", "--weights", "untrained"]).code(0).stdout(contains("138,357,544"));
    let truncated = ["summary", "--weights", "untrained", "--layer", "auto"];
    fixture.run(&truncated).code(0).stdout(contains("134,260,544"));
}

#[test]
fn help_names_the_exit_codes() {
    Fixture::new().run(&["--help"]).code(0).stdout(contains("finished, but some images failed"));
}

/// The address space has room for the stacks of some decoding threads, and beside them for all else.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_the_system_refuses_are_an_error() {
    const STACK_KB: usize = 1 << 20;
    let fixture = Fixture::new();
    let others = 3 + std::thread::available_parallelism().unwrap().get();
    let limit = (others + 5) * STACK_KB + STACK_KB * 9 / 10;
    let limited = format!("ulimit -v {limit}; exec \"$0\" \"$@\"");
    let mut shell = assert_cmd::Command::new("sh");
    shell.args(["-c", &limited, env!("CARGO_BIN_EXE_vgg-wgpu"), "extract", "images", "--model", "pixels.json"]);
    shell.args(["--weights", "untrained", "--device", "cpu", "--threads", "20"]);
    shell.env("RUST_MIN_STACK", (STACK_KB << 10).to_string()).current_dir(fixture.path(""));
    let refused = shell.timeout(std::time::Duration::from_secs(60)).assert().code(1);
    refused.stderr(contains("cannot start a thread to decode images").and(contains("panicked").not()));
}

/// Weights from a file are never larger than the file; those that are made can be of any size that an architecture has.
#[cfg(target_os = "linux")]
#[test]
fn untrained_weights_that_no_memory_holds_are_an_error() {
    let fixture = Fixture::new();
    let dense = r#""}}, {"class_name": "Dense", "config": {"name": "wide", "units": 17179869184}}]}}"#;
    let pixels = fs::read_to_string(fixture.path("pixels.json")).unwrap();
    fs::write(fixture.path("wide.json"), pixels.replace("\"}}]}}", dense)).unwrap();
    let mut shell = assert_cmd::Command::new("sh");
    shell.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vgg-wgpu"), "extract", "images"]);
    shell.args(["--model", "wide.json", "--weights", "untrained", "--layer", "wide", "--device", "cpu"]);
    let refused = shell.current_dir(fixture.path("")).assert().code(6);
    refused.stderr(contains("824633720832 values").and(contains("more memory")));
}

/// Files of 900 MB, which take no room on the disk, in an address space of 1 GB.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_no_memory_holds_costs_itself_only() {
    let fixture = Fixture::new();
    for (name, signature) in [("big.png", &b"\x89PNG\r\n\x1a\n"[..]), ("zeros.png", b"")] {
        let path = fixture.path("images").join(name);
        fs::write(&path, signature).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(900_000_000).unwrap();
    }
    let mut shell = assert_cmd::Command::new("sh");
    shell.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vgg-wgpu"), "extract", "images"]);
    shell.args(["--model", "pixels.json", "--weights", "untrained", "--device", "cpu", "--threads", "2"]);
    let failures = contains("big.png: too large: no memory for its 900000000 bytes").and(contains("zeros.png: not an"));
    shell.current_dir(fixture.path("")).assert().code(3).stderr(failures);
    assert_eq!(read_features(&fixture.path("features.pkl")), ["a", "b", "c"]);
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let fixture = Fixture::new();
    let summary = ["summary", "--model", "pixels.json", "--weights", "untrained"].as_slice();
    let extract =
        ["extract", "images", "--model", "pixels.json", "--weights", "untrained", "--device", "cpu", "--json"];
    for arguments in [summary, &extract] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("vgg-wgpu"));
        let output = command.args(arguments).current_dir(fixture.path("")).stdout(writer).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}
