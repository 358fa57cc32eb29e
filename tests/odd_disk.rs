//! File systems that lack something that others have: what can be done without it is done.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod cli_fixture;

use std::fs;
use std::process::{Command, Output};

use cli_fixture::runs::Runs;

/// A run on a disk that lacks something, which the C library says in its place.
fn run_without(runs: &Runs, feature: &str, options: &[&str]) -> Output {
    let library = runs.path("odd_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/odd_disk.c");
    let mut compiler = Command::new("cc");
    assert!(compiler.args(["-shared", "-fPIC", source, "-o"]).arg(&library).status().unwrap().success());
    runs.command(options).env("LD_PRELOAD", &library).env("LACKS", feature).output().unwrap()
}

/// Images that are not listed are not gone: an output brought up to date would lose their features.
#[test]
fn a_list_of_images_that_breaks_off_ends_the_run() {
    let runs = Runs::new(9);
    let resumed = ["--resume", "--key", "relpath"];
    for folder in ["images", "images/below"] {
        if folder != "images" {
            fs::rename(runs.path("images"), runs.path("all")).unwrap();
            fs::create_dir(runs.path("images")).unwrap();
            fs::rename(runs.path("all"), runs.path(folder)).unwrap();
            runs.write_image("first.png", 0);
        }
        runs.run(&resumed).code(0);
        let before = runs.features();
        let output = run_without(&runs, "ends of lists", &resumed);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot read the folder of images: images: Input/output error"), "{said}");
        assert!(runs.features() == before);
    }
}

#[test]
fn an_output_is_written_without_links_locks_and_synced_folders() {
    let runs = Runs::new(3);
    let expected = runs.undisturbed();
    for feature in ["links", "locks", "fsync of folders"] {
        let output = run_without(&runs, feature, &[]);
        assert!(output.status.success(), "{feature}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(runs.features() == expected, "{feature}");
        assert_eq!(runs.files(), ["features.pkl", "features.provenance.jsonl", "odd_disk.so"], "{feature}");
        runs.remove_outputs();
    }
}
