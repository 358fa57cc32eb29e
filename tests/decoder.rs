//! Decoders that crash or never end, in processes that are `extract`'s own: each costs one image.
#![cfg(target_os = "linux")]

mod cli_fixture;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli_fixture::read_features;
use cli_fixture::runs::{Runs, computed, whole_image_records};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

/// A progressive JPEG of many pixels in nearly as many scans as are taken: seconds of work.
fn slow_image() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/decode/progressive_420.jpg");
    let mut bytes = fs::read(path).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[9000u16.to_be_bytes(), 9000u16.to_be_bytes()].concat());
    let scan = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let end = bytes.len() - 2;
    [&bytes[..end], &bytes[scan..end].repeat(85), &bytes[end..]].concat()
}

/// 40 quick images and a slow one among them.
fn with_slow_image() -> Runs {
    let runs = Runs::new(40);
    fs::write(runs.image("p020_slow.jpg"), slow_image()).unwrap();
    runs
}

/// The processes that decode for a run.
fn decoders(run: &Child) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{}/task", run.id())).unwrap();
    let lists = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default());
    let all = lists.collect::<Vec<_>>().join(" ");
    all.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Waits for the one decoder of a run to have worked for half a second, which it does on the slow image alone.
fn wait_for_slow_image(run: &Child) -> u32 {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let [decoder] = decoders(run)[..] {
            let stat = fs::read_to_string(format!("/proc/{decoder}/stat")).unwrap_or_default();
            let ticks = stat.split_whitespace().nth(13).map_or(0, |ticks| ticks.parse().unwrap());
            if ticks > 50 {
                return decoder;
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no decoder is busy");
}

fn signal(name: &str, process: impl ToString) {
    assert!(Command::new("kill").args([&format!("-{name}"), "--", &process.to_string()]).status().unwrap().success());
}

fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn one_that_crashes_costs_the_image_it_had() {
    let runs = with_slow_image();
    for name in ["SEGV", "ABRT", "KILL"] {
        let run = runs.command(&["--threads", "1"]).spawn().unwrap();
        let decoder = wait_for_slow_image(&run);
        // Rust's own handler lets the first SIGSEGV pass where nothing is wrong with the address. A real one would come again.
        while is_there(decoder) {
            let _ = Command::new("kill").args([format!("-{name}"), decoder.to_string()]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        let failures = runs.lines("features.failures.jsonl");
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert_eq!((&failures[0]["path"], &failures[0]["kind"]), (&"p020_slow.jpg".into(), &"crashed".into()));
        assert!(failures[0]["reason"].as_str().unwrap().contains(&format!("(SIG{name})")), "{failures:?}");
        assert_eq!(read_features(&runs.path("features.pkl")).len(), 40);
        runs.remove_outputs();
    }
    // Nobody disturbs its decoder, and it is an image as any other.
    let run = runs.run(&["--threads", "1", "--json"]).code(0);
    assert_eq!(computed(&run), 41);
}

/// Waits until the one decoder of a run has slept for a while: so many decoded images wait for the network that it rests.
fn wait_for_rest(run: &Child) -> u32 {
    let pauses = |decoder: u32| {
        let status = fs::read_to_string(format!("/proc/{decoder}/status")).unwrap_or_default();
        status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).map(str::to_owned)
    };
    loop {
        let [decoder] = decoders(run)[..] else { continue };
        let before = pauses(decoder);
        std::thread::sleep(Duration::from_millis(200));
        if before.is_some() && pauses(decoder) == before {
            return decoder;
        }
    }
}

#[test]
fn one_that_is_killed_between_two_images_costs_none() {
    let runs = Runs::new(600);
    let mut run = runs.command(&["--threads", "1", "--batch", "150"]).spawn().unwrap();
    for _ in 0..2 {
        let decoder = wait_for_rest(&run);
        signal("KILL", decoder);
        while !matches!(decoders(&run)[..], [other] if other != decoder) {
            assert!(run.try_wait().unwrap().is_none(), "it was not replaced");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_signal_to_all_of_them_ends_the_run_in_order() {
    let runs = Runs::new(200);
    let expected = runs.undisturbed();
    for name in ["INT", "TERM", "HUP"] {
        let mut command = runs.command(&[]);
        let run = command.process_group(0).spawn().unwrap();
        while whole_image_records(&runs.journal()) < 4 {
            std::thread::sleep(Duration::from_millis(2));
        }
        signal(name, format!("-{}", run.id()));
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("are kept") && !said.contains("failed"), "{said}");
        runs.run(&[]).code(0).stderr(contains("resuming").and(contains("0 failed")));
        assert!(runs.features() == expected);
        runs.remove_outputs();
    }
}

#[test]
fn none_outlives_a_run_that_is_killed() {
    let runs = with_slow_image();
    let mut run = runs.command(&["--threads", "1"]).stderr(Stdio::null()).spawn().unwrap();
    let decoder = wait_for_slow_image(&run);
    run.kill().unwrap();
    run.wait().unwrap();
    let killed = Instant::now();
    while is_there(decoder) {
        assert!(killed.elapsed() < Duration::from_secs(60), "it is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    runs.run(&[]).code(0);
}

#[test]
fn one_that_takes_too_long_ends_itself() {
    let image = slow_image();
    let mut decoder = Command::new(env!("CARGO_BIN_EXE_vgg-wgpu"));
    decoder.args(["decode", "--max-seconds", "0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut decoder = decoder.spawn().unwrap();
    let mut input = decoder.stdin.take().unwrap();
    let decoding = r#"{"size":[4,4],"filter":"nearest","lenient":false}"#;
    for _ in 0..100 {
        // Until it has ended, images go on coming.
        let request = format!("{{\"decoding\":{decoding},\"bytes\":{}}}\n", image.len());
        if input.write_all(request.as_bytes()).and_then(|()| input.write_all(&image)).is_err() {
            break;
        }
    }
    let output = decoder.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(124));
}

/// As where the whole run was stopped for a while: the time in which nobody takes the pixels is not the image's.
#[test]
fn one_whose_answer_is_not_read_for_long_is_still_there() {
    let image = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/photos/photo_0000.jpg")).unwrap();
    let mut decoder = Command::new(env!("CARGO_BIN_EXE_vgg-wgpu"));
    decoder.args(["decode", "--max-seconds", "1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut decoder = decoder.spawn().unwrap();
    // More than a pipe holds.
    let decoding = r#"{"size":[300,300],"filter":"nearest","lenient":false}"#;
    let mut input = decoder.stdin.take().unwrap();
    writeln!(input, "{{\"decoding\":{decoding},\"bytes\":{}}}", image.len()).unwrap();
    input.write_all(&image).unwrap();
    drop(input);
    std::thread::sleep(Duration::from_secs(2));
    let mut answer = Vec::new();
    decoder.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    assert!(decoder.wait().unwrap().success());
    assert_eq!(answer.len(), "{\"Ok\":null}\n".len() + 300 * 300 * 3);
}
