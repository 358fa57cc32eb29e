//! `extract` interrupted in every way, and told to go on: the output is the one of a run that nobody disturbed.

mod cli_fixture;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cli_fixture::read_features;
use cli_fixture::runs::{MAGIC, Runs, SLOW_MODEL, computed, whole_image_records};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

/// Where the records of a journal end, by their lengths.
fn record_ends(journal: &[u8]) -> Vec<usize> {
    let mut ends = vec![MAGIC.len()];
    while let Some(head) = journal.get(*ends.last().unwrap()..).and_then(|rest| rest.first_chunk::<4>()) {
        ends.push(ends.last().unwrap() + 8 + u32::from_le_bytes(*head) as usize);
    }
    assert_eq!(*ends.last().unwrap(), journal.len());
    ends
}

fn below(random: &mut ChaCha8Rng, limit: usize) -> usize {
    random.next_u64() as usize % limit
}

#[test]
fn cut_off_anywhere_and_resumed_the_output_is_that_of_an_undisturbed_run() {
    let runs = Runs::new(9);
    let expected = runs.undisturbed();
    let journal = runs.complete_journal();
    let ends = record_ends(&journal);
    assert_eq!(ends.len(), 1 + 2 + 9, "magic, identity, session, images");

    let mut random = ChaCha8Rng::seed_from_u64(1);
    let anywhere: Vec<usize> = (0..25).map(|_| below(&mut random, journal.len())).collect();
    for cut in ends.iter().copied().chain(anywhere) {
        runs.remove_outputs();
        fs::write(runs.journal(), &journal[..cut]).unwrap();
        let left = 9 - ends.iter().skip(3).filter(|&&end| end <= cut).count() as u64;
        let run = runs.run(&["--json"]).code(0);
        assert_eq!(computed(&run), left, "cut at {cut}");
        assert!(runs.features() == expected, "cut at {cut}, the output differs");
        assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl"], "cut at {cut}");
    }
}

/// `VGG_WGPU_KILLS` asks for more than 20.
#[test]
fn killed_at_random_moments_it_loses_nothing_and_writes_the_same() {
    let runs = Runs::new(160);
    let expected = runs.undisturbed();
    let begun = Instant::now();
    runs.undisturbed();
    let whole_run = begun.elapsed();

    let mut random = ChaCha8Rng::seed_from_u64(2);
    let wanted = std::env::var("VGG_WGPU_KILLS").map_or(20, |text| text.parse().unwrap());
    let (mut kills, mut while_writing, mut finished, mut kept) = (0, 0, 0, 0);
    while kills < wanted {
        let mut child = runs.command(&["--quiet"]).spawn().unwrap();
        std::thread::sleep(whole_run.mul_f64(below(&mut random, 1000) as f64 / 1000.0 * 0.7));
        child.kill().unwrap();
        if child.wait().unwrap().success() || runs.path("features.pkl").exists() {
            // The output may be there, and what follows it not yet.
            if runs.journal().exists() {
                runs.run(&["--quiet"]).code(0);
            }
            assert!(runs.features() == expected, "after {kills} kills");
            finished += 1;
            runs.remove_outputs();
            kept = 0;
            continue;
        }
        kills += 1;
        while_writing += u32::from(runs.files().iter().any(|name| name.ends_with(".tmp")));
        let now = whole_image_records(&runs.journal());
        assert!(now >= kept, "{now} features after {kept}");
        kept = now;
    }
    // Where the last kills hit early, nothing may have been finished yet.
    runs.run(&["--quiet"]).code(0);
    assert!(runs.features() == expected);
    assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl"], "left behind after {kills} kills");
    println!(
        "{kills} kills, {while_writing} of them while the output was written; finished {finished} times in between"
    );
}

#[test]
fn temporary_files_that_a_killed_run_left_are_removed() {
    let runs = Runs::new(2);
    let another_outputs = ".vgg-wgpu-other.pkl-a1B2c3.tmp";
    for name in ["features.pkl", "features.provenance.jsonl", "features.failures.jsonl"] {
        fs::write(runs.path(&format!(".vgg-wgpu-{name}-a1B2c3.tmp")), "half a file").unwrap();
    }
    fs::write(runs.path(another_outputs), "half a file").unwrap();
    runs.run(&[]).code(0);
    assert_eq!(runs.files(), [another_outputs, "features.pkl", "features.provenance.jsonl"]);
}

#[cfg(unix)]
mod signals {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn signal(child: &Child, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn wait_for_line(stderr: &mut BufReader<ChildStderr>, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without saying {text:?}");
        }
    }

    fn end(child: Child) -> Output {
        child.wait_with_output().unwrap()
    }

    #[test]
    fn told_once_it_saves_and_says_how_to_go_on() {
        let runs = Runs::new(200);
        let expected = runs.undisturbed();
        for name in ["INT", "TERM", "HUP"] {
            runs.remove_outputs();
            let child = runs.start(&[], 50_000);
            signal(&child, name);
            let output = end(child);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(130), "{name}: {said}");
            assert!(said.contains("of 200 images are kept in features.pkl.journal"), "{name}: {said}");
            assert_eq!(runs.files(), ["features.pkl.journal"], "{name}");
            record_ends(&fs::read(runs.journal()).unwrap());

            let kept = whole_image_records(&runs.journal()) as u64;
            let run = runs.run(&["--json"]).code(0).stderr(contains(format!("resuming: {kept} of 200 images")));
            assert_eq!(computed(&run), 200 - kept, "{name}");
            assert!(runs.features() == expected, "{name}");
        }
    }

    #[test]
    fn told_to_stop_after_a_restart_it_says_that_another_would_throw_all_away() {
        let runs = Runs::new(200);
        let child = runs.start(&["--restart"], 50_000);
        signal(&child, "INT");
        let said = String::from_utf8(end(child).stderr).unwrap();
        assert!(said.contains("; the same command without --restart goes on with the rest"), "{said}");
    }

    #[test]
    fn told_twice_it_stops_at_once_and_can_still_go_on() {
        let runs = Runs::new(200);
        let expected = runs.undisturbed();
        let mut child = runs.start(&["--batch", "100"], 50_000);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        signal(&child, "INT");
        wait_for_line(&mut stderr, "stopping");
        signal(&child, "INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert!(!said.contains("kept"), "it was stopped in an orderly way: {said}");
        runs.run(&[]).code(0).stderr(contains("resuming"));
        assert!(runs.features() == expected);
    }

    #[test]
    fn a_hangup_does_not_end_what_nohup_started() {
        let runs = Runs::new(100);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vgg-wgpu")]);
        shell.args(Runs::arguments(&[])).current_dir(runs.fixture.folder.path()).stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        while whole_image_records(&runs.journal()) < 4 {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(2));
        }
        signal(&child, "HUP");
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
    }

    #[test]
    fn a_second_process_on_the_same_output_is_refused_and_does_no_harm() {
        let runs = Runs::new(200);
        let child = runs.start(&[], 50_000);
        for options in [&["--quiet"][..], &["--quiet", "--restart"], &["--quiet", "--overwrite"]] {
            runs.run(options).code(1).stderr(contains("another process").and(contains("features.pkl.journal")));
        }
        runs.run(&["--quiet", "-o", "other.pkl"]).code(0);
        assert!(end(child).status.success());
        assert!(runs.features() == fs::read(runs.path("other.pkl")).unwrap());
    }
}

#[test]
fn changed_images_are_computed_again_new_ones_too_and_removed_ones_left_out() {
    let runs = Runs::new(8);
    runs.complete_journal();
    runs.write_image("p002.png", 99);
    runs.write_image("p1.png", 100);
    fs::remove_file(runs.image("p005.png")).unwrap();
    // The same bytes with another time: an image that was written again.
    fs::File::options()
        .write(true)
        .open(runs.image("p006.png"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    let run = runs.run(&["--json"]).code(0).stderr(contains("resuming: 5 of 8 images"));
    assert_eq!(computed(&run), 3);
    let resumed = runs.features();
    runs.run(&["--overwrite", "--json"]).code(0);
    assert!(runs.features() == resumed);
    let keys = ["p000", "p001", "p002", "p003", "p004", "p006", "p007", "p1"];
    assert_eq!(read_features(&runs.path("features.pkl")), keys);
}

#[test]
fn other_options_are_refused_with_what_differs_until_told_to_restart() {
    let runs = Runs::new(5);
    let expected = runs.undisturbed();
    let journal = runs.complete_journal();
    let mut other_model = SLOW_MODEL.to_owned();
    other_model.push('\n');
    fs::write(runs.path("other.json"), other_model).unwrap();
    for (options, texts) in [
        (&["--layer", "pool"][..], ["layer: flatten then, pool now", "output shape: "]),
        (&["--preprocess", "tf"], ["--preprocess: caffe then, tf now", "--restart"]),
        (&["--resize", "lanczos"], ["--resize: nearest then, lanczos now", "--restart"]),
        (&["--key", "name"], ["--key: stem then, name now", "--restart"]),
        (&["--seed", "7"], ["weights: untrained weights (seed 0)", "(seed 7)"]),
        (&["--lenient"], ["--lenient: false then, true now", "--restart"]),
        (&["--model", "other.json"], ["model: 1084 bytes", "BLAKE3"]),
    ] {
        runs.run(options).code(2).stderr(contains(texts[0]).and(contains(texts[1])));
        assert!(fs::read(runs.journal()).unwrap() == journal, "{options:?} changed the journal");
        assert_eq!(runs.files(), ["features.pkl.journal", "other.json"]);
    }
    let run = runs.run(&["--json"]).code(0);
    assert_eq!(computed(&run), 0);
    assert!(runs.features() == expected);

    runs.remove_outputs();
    fs::write(runs.journal(), &journal).unwrap();
    let run = runs.run(&["--restart", "--seed", "7", "--json"]).code(0);
    assert_eq!(computed(&run), 5);
    assert!(runs.features() != expected);
}

#[test]
fn the_model_is_known_by_its_content_and_another_device_line_is_only_told() {
    let runs = Runs::new(5);
    runs.complete_journal();
    fs::rename(runs.path("slow.json"), runs.path("renamed.json")).unwrap();
    runs.write_image("q.png", 50);
    let run = runs.run(&["--model", "renamed.json", "--batch", "2", "--json"]).code(0);
    let run = run.stderr(contains("in batches of 4"));
    assert_eq!(computed(&run), 1);
    let sessions = runs.lines("features.provenance.jsonl")[0]["sessions"].clone();
    assert_eq!((&sessions[0]["batch"], &sessions[1]["batch"]), (&4.into(), &2.into()));
}

#[test]
fn an_output_that_exists_is_refused_at_once_and_says_where_a_journal_lies() {
    let runs = Runs::new(3);
    let journal = runs.complete_journal();
    fs::write(runs.path("features.pkl"), "precious").unwrap();
    runs.run(&[]).code(2).stderr(contains("--overwrite").and(contains("features.pkl.journal")));
    runs.run(&["--restart"]).code(2).stderr(contains("--overwrite"));
    assert_eq!(runs.features(), b"precious");
    assert!(fs::read(runs.journal()).unwrap() == journal);
    assert_eq!(computed(&runs.run(&["--overwrite", "--json"]).code(0)), 0);
    assert_eq!(read_features(&runs.path("features.pkl")).len(), 3);
}

#[test]
fn ended_between_the_output_and_what_follows_the_same_command_goes_on() {
    let runs = Runs::new(200);
    let provenance = runs.path("features.provenance.jsonl");
    fs::write(runs.image("broken.jpg"), "broken").unwrap();
    runs.run(&[]).code(3);
    let expected = runs.features();
    for options in [&[][..], &["--resume"]] {
        runs.remove_outputs();
        let run = runs.start(options, 50_000);
        // A file does not take the place of a folder.
        fs::create_dir(&provenance).unwrap();
        assert_eq!(run.wait_with_output().unwrap().status.code(), Some(1));
        assert!(runs.features() == expected && runs.journal().exists());
        fs::remove_dir(&provenance).unwrap();
        fs::write(&provenance, "that of an output before").unwrap();

        let run = runs.run(&[options, &["--json"]].concat()).code(3);
        assert_eq!(computed(&run), 0);
        assert!(runs.features() == expected);
        assert_eq!(runs.files(), ["features.failures.jsonl", "features.pkl", "features.provenance.jsonl"]);
        assert_eq!(runs.lines("features.provenance.jsonl").len(), 1 + 200);
    }
}

#[test]
fn the_provenance_names_what_the_output_was_made_of() {
    let runs = Runs::new(3);
    runs.run(&[]).code(0);
    let lines = runs.lines("features.provenance.jsonl");
    let run = &lines[0];
    for (field, value) in [("layer", "flatten"), ("preprocess", "caffe"), ("resize", "nearest"), ("key", "stem")] {
        assert_eq!(run[field], value);
    }
    assert_eq!((&run["images"], &run["computed"], &run["failed"]), (&3.into(), &3.into(), &0.into()));
    assert_eq!(run["shape"], serde_json::json!([1, 24 * 24 * 24]));
    assert_eq!(run["model"]["file"], "slow.json");
    assert_eq!(run["model"]["blake3"], blake3::hash(SLOW_MODEL.as_bytes()).to_hex().as_str());
    assert_eq!(run["output"]["blake3"], blake3::hash(&runs.features()).to_hex().as_str());
    assert_eq!(run["output"]["bytes"], runs.features().len());
    assert_eq!(run["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(lines.len(), 4);
    let image = &lines[2];
    assert_eq!((&image["key"], &image["path"]), (&"p001".into(), &"p001.png".into()));
    assert_eq!(image["bytes"], fs::metadata(runs.image("p001.png")).unwrap().len());
}

#[test]
fn failures_are_listed_retried_and_the_list_goes_when_there_are_none() {
    let runs = Runs::new(3);
    fs::write(runs.image("empty.jpg"), "").unwrap();
    fs::write(runs.image("text.jpg"), "hello").unwrap();
    runs.run(&[]).code(3);
    let failures = runs.lines("features.failures.jsonl");
    let of = |index: usize, field: &str| failures[index][field].as_str().unwrap().to_owned();
    assert_eq!(failures.len(), 2);
    assert_eq!(
        [of(0, "path"), of(0, "kind"), of(1, "path"), of(1, "kind")],
        ["empty.jpg", "damaged", "text.jpg", "not_an_image"]
    );
    assert!(of(1, "reason").contains("hello"), "{failures:?}");

    runs.write_image("empty.png", 9);
    fs::remove_file(runs.image("empty.jpg")).unwrap();
    fs::remove_file(runs.image("text.jpg")).unwrap();
    let run = runs.run(&["--resume", "--json"]).code(0);
    assert_eq!(computed(&run), 1);
    assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl"]);
}

#[test]
fn strict_ends_at_the_first_failure_and_max_errors_at_one_too_many() {
    let runs = Runs::new(8);
    for name in ["p0035.png", "p0045.png"] {
        fs::write(runs.image(name), "broken").unwrap();
    }
    runs.run(&["--strict"]).code(1).stderr(contains("p0035.png").and(contains("p0045.png").not()));
    assert_eq!(runs.files(), ["features.pkl.journal"], "what was computed is kept");
    runs.run(&["--max-errors", "1"]).code(1).stderr(contains("p0045.png").and(contains("2 images failed, and 1 may")));
    runs.run(&["--max-errors", "1", "--strict"]).code(2);
    let run = runs.run(&["--max-errors", "2", "--json"]).code(3);
    assert!(computed(&run) < 8, "what the runs before computed is used");
    assert_eq!(read_features(&runs.path("features.pkl")).len(), 8);
}

#[test]
fn a_finished_output_is_brought_up_to_date() {
    let runs = Runs::new(6);
    runs.run(&["--resume"]).code(0);
    runs.write_image("p002.png", 77);
    runs.write_image("q.png", 78);
    fs::remove_file(runs.image("p004.png")).unwrap();
    let run = runs.run(&["--resume", "--json"]).code(0).stderr(contains("4 of 6 images are in features.pkl"));
    assert_eq!(computed(&run), 2);
    let updated = runs.features();
    assert_eq!(runs.lines("features.provenance.jsonl")[0]["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(computed(&runs.run(&["--resume", "--json"]).code(0)), 0);
    assert!(runs.features() == updated);
    runs.run(&["--overwrite"]).code(0);
    assert!(runs.features() == updated);
    assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl"]);
}

#[test]
fn a_run_that_computes_nothing_is_not_among_those_that_did() {
    let runs = Runs::new(3);
    fs::write(runs.image("broken.jpg"), "broken").unwrap();
    runs.run(&[]).code(3);
    for _ in 0..3 {
        runs.run(&["--resume"]).code(3);
        assert_eq!(runs.lines("features.provenance.jsonl")[0]["sessions"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_output_of_unknown_provenance_is_not_resumed() {
    let runs = Runs::new(4);
    runs.run(&[]).code(0);
    let (features, provenance) = (runs.features(), fs::read(runs.path("features.provenance.jsonl")).unwrap());
    runs.write_image("q.png", 1);
    let refused = |options: &[&str], text: &str| {
        runs.run(&[&["--resume"], options].concat()).code(2).stderr(contains(text.to_owned()));
        assert!(!runs.journal().exists(), "{text}");
    };
    refused(&["--layer", "pool"], "layer: flatten then, pool now");
    for (damaged, text) in [
        (&b"<html>"[..], "--overwrite"),
        (b"", "--overwrite"),
        (&provenance[..provenance.len() - 9], "EOF while parsing"),
        (&[&provenance[..10], &[b'['; 100_000]].concat(), "--overwrite"),
    ] {
        fs::write(runs.path("features.provenance.jsonl"), damaged).unwrap();
        let _ = runs.run(&["--resume"]).failure().stderr(contains(text));
        assert!(runs.features() == features);
        let _ = fs::remove_file(runs.journal());
    }
    fs::remove_file(runs.path("features.provenance.jsonl")).unwrap();
    refused(&[], "--overwrite");
    fs::write(runs.path("features.provenance.jsonl"), &provenance).unwrap();
    let mut other = features.clone();
    *other.last_mut().unwrap() = b'!';
    fs::write(runs.path("features.pkl"), &other).unwrap();
    refused(&[], "it belongs to another file");
    assert!(runs.features() == other);
}

#[cfg(unix)]
mod full_disk {
    use super::*;

    const OLD: &[u8] = b"the output of an earlier run";

    /// A limit on the size of files, which needs no rights: the journal is cut off within a record.
    #[test]
    fn of_which_the_journal_is_too_much_costs_nothing_but_the_rest() {
        let runs = Runs::new(20);
        let expected = runs.undisturbed();
        fs::write(runs.path("features.pkl"), OLD).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 800; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vgg-wgpu")]);
        shell.args(Runs::arguments(&["--overwrite"])).current_dir(runs.fixture.folder.path());
        let output = shell.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write: features.pkl.journal: ") && said.contains("are kept"), "{said}");
        assert_eq!(runs.features(), OLD);

        let run = runs.run(&["--overwrite", "--json"]).code(0).stderr(contains("resuming"));
        assert!((1..20).contains(&computed(&run)));
        assert!(runs.features() == expected);
    }

    /// A file system of a few pages, on which the journal has room and the output beside it has not. It is mounted in a
    /// namespace of its own, for which Linux asks no rights, and gone when the shell ends.
    #[cfg(target_os = "linux")]
    #[test]
    fn of_which_the_output_is_too_much_keeps_the_journal_and_the_old_output() {
        const SCRIPT: &str = r#"
            set -e
            mount -t tmpfs -o size=$1 none disk
            shift; larger=$1; shift
            cp old disk/features.pkl
            code=0; "$@" 2>first.txt || code=$?
            echo $code >first.code
            cp disk/features.pkl old.after
            cp disk/features.pkl.journal journal.after
            mount -o remount,size=$larger none disk
            "$@" --json >second.json
            cp disk/features.pkl features.pkl"#;
        let runs = Runs::new(20);
        let expected = runs.undisturbed();
        let journal_bytes = runs.complete_journal().len();
        fs::remove_file(runs.journal()).unwrap();
        fs::create_dir(runs.path("disk")).unwrap();
        fs::write(runs.path("old"), OLD).unwrap();
        let sizes = [journal_bytes + 200_000, 3 * journal_bytes].map(|bytes| bytes.to_string());
        let mut shell = Command::new("unshare");
        shell.args(["-rm", "sh", "-c", SCRIPT, "sh"]).args(sizes).arg(env!("CARGO_BIN_EXE_vgg-wgpu"));
        shell.args(Runs::arguments(&["--overwrite", "-o", "disk/features.pkl"]));
        let output = shell.current_dir(runs.fixture.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let read = |name: &str| String::from_utf8(fs::read(runs.path(name)).unwrap()).unwrap();
        let said = read("first.txt");
        assert_eq!(read("first.code"), "1\n", "{said}");
        assert!(said.contains("cannot write: disk/features.pkl: No space left on device"), "{said}");
        assert!(said.contains("all features are kept in disk/features.pkl.journal"), "{said}");
        assert_eq!(read("old.after").as_bytes(), OLD);
        assert_eq!(whole_image_records(&runs.path("journal.after")), 20);
        let second: Value = serde_json::from_str(&read("second.json")).unwrap();
        assert_eq!(second["computed"], 0);
        assert!(runs.features() == expected);
    }
}

#[cfg(unix)]
#[test]
fn what_looks_like_an_image_and_is_none_is_listed_and_never_waited_for() {
    use std::os::unix::fs::symlink;
    let runs = Runs::new(2);
    fs::create_dir(runs.image("folder.jpg")).unwrap();
    assert!(Command::new("mkfifo").arg(runs.image("pipe.jpg")).status().unwrap().success());
    symlink("loop.jpg", runs.image("loop.jpg")).unwrap();
    symlink("gone.jpg", runs.image("dangling.jpg")).unwrap();
    symlink("..", runs.image("up")).unwrap();
    for (key, folder) in [("stem", "images/folder.jpg: a folder"), ("relpath", "images/up: a link to a folder")] {
        let listed = contains(folder).and(contains("passed over: images/pipe.jpg: not a regular file"));
        runs.run(&["-v", "--overwrite", "--key", key]).code(3).stderr(listed);
        let failures = runs.lines("features.failures.jsonl");
        let paths: Vec<_> = failures.iter().map(|failure| failure["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["dangling.jpg", "loop.jpg"]);
        assert!(failures.iter().all(|failure| failure["kind"] == "unreadable"), "{failures:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_with_quotes_and_newlines_go_through_and_those_that_are_not_unicode_are_listed() {
    use std::os::unix::ffi::OsStrExt;
    let runs = Runs::new(2);
    let names = ["\"quoted\".png", "new\nline.png", "back\\slash.png", "{\"record\":\"image\"}\n.png", "ключ.png"];
    for (tint, name) in names.iter().enumerate() {
        runs.write_image(name, tint as u8);
    }
    fs::copy(runs.image("p000.png"), runs.path("images").join(std::ffi::OsStr::from_bytes(b"\xff.png"))).unwrap();
    runs.run(&["--strict"]).code(1).stderr(contains("its name is not Unicode"));
    assert_eq!(runs.files(), [""; 0]);
    runs.run(&[]).code(3);
    let failure = &runs.lines("features.failures.jsonl")[0];
    assert_eq!((&failure["path"], &failure["kind"]), (&"\u{fffd}.png".into(), &"name_not_unicode".into()));
    let expected = runs.features();
    assert_eq!(read_features(&runs.path("features.pkl")).len(), 7);

    // All of them come from the finished output, then from a journal.
    let resumed = runs.run(&["--resume", "--json"]).code(3);
    assert_eq!(computed(&resumed), 0);
    runs.run(&["--resume", "--restart", "--max-errors", "0"]).code(1);
    assert_eq!(whole_image_records(&runs.journal()), 7);
    fs::remove_file(runs.path("features.pkl")).unwrap();
    let resumed = runs.run(&["--json"]).code(3);
    assert_eq!(computed(&resumed), 0);
    assert!(runs.features() == expected);
}

#[test]
fn of_many_processes_at_once_on_one_output_one_makes_it() {
    let runs = Runs::new(6);
    let expected = runs.undisturbed();
    for round in 0..8 {
        let processes: Vec<Child> = (0..6).map(|_| runs.command(&[]).spawn().unwrap()).collect();
        let outputs: Vec<Output> = processes.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let with_code = |code| outputs.iter().filter(|output| output.status.code() == Some(code)).count();
        // The others find it being made, or made.
        assert_eq!((with_code(0), with_code(1) + with_code(2)), (1, 5), "round {round}: {outputs:?}");
        assert!(runs.features() == expected, "round {round}");
        assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl"], "round {round}");
        runs.remove_outputs();
    }
}

#[test]
fn an_empty_folder_is_an_error_that_says_so_and_leaves_nothing() {
    let runs = Runs::new(0);
    runs.run(&[]).code(2).stderr(contains("images holds no ").and(contains("0 other entries")));
    assert_eq!(runs.files(), [""; 0]);
}

#[test]
fn a_closed_standard_error_does_not_end_the_run() {
    let runs = Runs::new(40);
    let mut child = runs.command(&["-v"]).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(read_features(&runs.path("features.pkl")).len(), 40);
}
