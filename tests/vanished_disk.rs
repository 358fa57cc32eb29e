//! A disk that goes away in mid-run ends the run, harms nothing else, and once it is back the same command goes on.
#![cfg(unix)]

mod cli_fixture;

use std::fs;
use std::process::{Child, Command};

use cli_fixture::runs::{Runs, computed, whole_image_records};
use predicates::str::contains;

const IMAGES_GONE: &str = "error: cannot read the folder of images: images: ";
const OUTPUT_GONE: &str = "it was moved or deleted, or its disk is gone";

/// The end of a run that must have failed for `reason`.
fn ends(run: Child, reason: &str) {
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(reason) && said.contains("of 200 images are kept in"), "{said}");
    assert!(!said.contains("failed: "), "an image was blamed: {said}");
}

/// The rest is computed, and the output is as if nothing had happened.
fn goes_on(runs: &Runs, options: &[&str], output: &str, expected: &[u8]) {
    let run = runs.run(&[&["--json"], options].concat()).code(0).stderr(contains("resuming: "));
    assert!((1..200).contains(&computed(&run)));
    assert!(fs::read(runs.path(output)).unwrap() == expected);
}

#[test]
fn a_folder_of_images_that_is_moved_away_ends_the_run() {
    let runs = Runs::new(200);
    let expected = runs.undisturbed();
    let run = runs.start(&[], 50_000);
    fs::rename(runs.path("images"), runs.path("away")).unwrap();
    ends(run, IMAGES_GONE);
    assert_eq!(runs.files(), ["away", "features.pkl.journal"]);
    let journal = fs::read(runs.journal()).unwrap();
    runs.run(&[]).code(1).stderr(contains(IMAGES_GONE));
    assert!(fs::read(runs.journal()).unwrap() == journal);

    fs::rename(runs.path("away"), runs.path("images")).unwrap();
    goes_on(&runs, &[], "features.pkl", &expected);
}

#[test]
fn a_folder_of_the_output_that_is_moved_away_ends_the_run() {
    let runs = Runs::new(200);
    let expected = runs.undisturbed();
    fs::create_dir(runs.path("disk")).unwrap();
    let options = ["-o", "disk/features.pkl"];
    let run = runs.command(&options).spawn().unwrap();
    while whole_image_records(&runs.path("disk/features.pkl.journal")) < 4 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    fs::rename(runs.path("disk"), runs.path("away")).unwrap();
    ends(run, OUTPUT_GONE);
    assert_eq!(runs.files(), ["away"]);

    fs::rename(runs.path("away"), runs.path("disk")).unwrap();
    goes_on(&runs, &options, "disk/features.pkl", &expected);
}

/// A disk of its own for the folder `$1`, mounted where no other process sees it, for which Linux asks no rights, and taken
/// away by force once the journal `$2` holds an image.
#[cfg(target_os = "linux")]
const DISTURBED: &str = r#"
    set -e
    disk=$1; journal=$2; shift 2
    fill() { mount -t tmpfs none "$disk"; if [ -d originals ]; then cp -p originals/* "$disk"; fi; }
    fill
    "$@" 2>first.txt & run=$!
    until [ "$(stat -c %s "$journal" 2>/dev/null || echo 0)" -gt 60000 ]; do sleep 0.01; done
    umount -l "$disk"
    code=0; wait $run || code=$?; echo $code >first.code
    ls -A "$disk" >below.txt
    if [ -d originals ]; then fill; "$@" --json >second.json; fi"#;

#[cfg(target_os = "linux")]
fn disturb(runs: &Runs, disk: &str, output: &str) -> String {
    let mut shell = Command::new("unshare");
    shell.args([
        "-rm",
        "sh",
        "-c",
        DISTURBED,
        "sh",
        disk,
        &format!("{output}.journal"),
        env!("CARGO_BIN_EXE_vgg-wgpu"),
    ]);
    let output = shell.args(Runs::arguments(&["-o", output])).current_dir(runs.fixture.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| fs::read_to_string(runs.path(name)).unwrap();
    assert_eq!(read("first.code"), "1\n", "{}", read("first.txt"));
    assert_eq!(read("below.txt"), "", "something was written to the folder below the disk");
    read("first.txt")
}

#[cfg(target_os = "linux")]
#[test]
fn images_on_a_disk_that_is_taken_away() {
    let runs = Runs::new(200);
    let expected = runs.undisturbed();
    fs::rename(runs.path("images"), runs.path("originals")).unwrap();
    fs::create_dir(runs.path("images")).unwrap();
    let said = disturb(&runs, "images", "features.pkl");
    assert!(said.contains(IMAGES_GONE) && said.contains("of 200 images are kept in"), "{said}");
    let second: serde_json::Value = serde_json::from_slice(&fs::read(runs.path("second.json")).unwrap()).unwrap();
    assert!((1..200).contains(&second["computed"].as_u64().unwrap()), "{second}");
    assert!(runs.features() == expected);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_on_a_disk_that_is_taken_away() {
    let runs = Runs::new(200);
    fs::create_dir(runs.path("disk")).unwrap();
    let said = disturb(&runs, "disk", "disk/features.pkl");
    assert!(said.contains(OUTPUT_GONE), "{said}");
}

/// A disk that was pulled out and is still mounted lists its files and gives EIO for their content. So does `/proc/self/mem`.
#[cfg(target_os = "linux")]
#[test]
fn one_image_that_gives_an_io_error_is_an_image_and_all_of_them_are_the_disk() {
    let runs = Runs::new(40);
    let broken: Vec<_> = (20..40).map(|index| runs.image(&format!("p{index:03}.png"))).collect();
    let break_image = |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/proc/self/mem", path).unwrap();
    };
    break_image(&broken[0]);
    runs.run(&[]).code(3).stderr(contains("1 failed"));
    let failures = runs.lines("features.failures.jsonl");
    assert_eq!((failures[0]["path"].as_str(), failures[0]["kind"].as_str()), (Some("p020.png"), Some("unreadable")));
    let expected = runs.features();
    runs.remove_outputs();

    broken[1..].iter().for_each(break_image);
    runs.run(&[]).code(1).stderr(contains(format!("{IMAGES_GONE}Input/output error")));
    assert_eq!(runs.files(), ["features.pkl.journal"]);
    for (index, path) in (20..40).zip(&broken).skip(1) {
        fs::remove_file(path).unwrap();
        runs.write_image(&format!("p{index:03}.png"), index);
    }
    runs.run(&[]).code(3).stderr(contains("resuming: "));
    assert!(runs.features() == expected);
}
