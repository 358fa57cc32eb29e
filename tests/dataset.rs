//! Which files of a folder count as images, and their keys.

use std::fs;
use std::path::Path;

use vgg_wgpu::Error;
use vgg_wgpu::images::{Dataset, KeyKind, scan};

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n....";

/// A folder with these files, each of these bytes; folders in their paths are made.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn keys(dataset: &Dataset) -> Vec<&str> {
    dataset.images.iter().map(|image| image.key.as_str()).collect()
}

fn skipped(dataset: &Dataset, folder: &Path) -> Vec<String> {
    let line = |path: &Path, reason: &str| format!("{}: {reason}", path.strip_prefix(folder).unwrap().display());
    dataset.skipped.iter().map(|(path, reason)| line(path, &reason.to_string())).collect()
}

#[test]
fn keys_are_those_of_os_path_splitext_in_byte_order() {
    let names =
        ["b.jpg", "a.tar.jpg", "B.JPEG", "a..png", "it's \"quoted\".gif", "é.webp", "1000268201_693b08cb0e.jpg"];
    let folder = folder(&names.map(|name| (name, &b""[..])));
    let expected = ["1000268201_693b08cb0e", "B", "a.", "a.tar", "b", "it's \"quoted\"", "é"];
    assert_eq!(keys(&scan(folder.path(), KeyKind::Stem).unwrap()), expected);
    assert!(keys(&scan(folder.path(), KeyKind::Name).unwrap()).contains(&"a.tar.jpg"));
}

#[test]
fn junk_is_skipped_and_images_are_found_by_name_or_content() {
    let folder = folder(&[
        ("photo.jpg", b""),
        ("no_extension", PNG_SIGNATURE),
        ("wrong.txt", PNG_SIGNATURE),
        ("phone.heic", b""),
        ("notes.txt", b"text"),
        ("people.csv", b"BMI,age\n22.5,41\n"),
        ("short.csv", b"BM\n"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
        (".DS_Store", b""),
        ("._photo.jpg", b"\0\x05\x16\x07"),
        (".ipynb_checkpoints/photo.jpg", b""),
        ("folder.jpg/inner.jpg", b""),
    ]);
    let dataset = scan(folder.path(), KeyKind::Stem).unwrap();
    assert_eq!(keys(&dataset), ["no_extension", "phone", "photo", "wrong"]);
    assert_eq!(
        skipped(&dataset, folder.path()),
        [
            ".DS_Store: hidden",
            "._photo.jpg: hidden",
            ".ipynb_checkpoints: hidden",
            "Thumbs.db: no JPEG, PNG, BMP, GIF, WebP or TIFF file",
            "folder.jpg: a folder (--key relpath looks into folders)",
            "notes.txt: no JPEG, PNG, BMP, GIF, WebP or TIFF file",
            "people.csv: no JPEG, PNG, BMP, GIF, WebP or TIFF file",
            "short.csv: no JPEG, PNG, BMP, GIF, WebP or TIFF file",
        ]
    );
    assert!(dataset.skipped.iter().all(|(_, reason)| !reason.is_failure()));
}

#[test]
fn relative_paths_reach_into_folders_but_not_hidden_ones() {
    let folder = folder(&[("a/x.jpg", b""), ("b/c/x.jpg", b""), (".git/x.jpg", b""), ("x.jpg", b"")]);
    let dataset = scan(folder.path(), KeyKind::RelPath).unwrap();
    assert_eq!(keys(&dataset), ["a/x.jpg", "b/c/x.jpg", "x.jpg"]);
    assert_eq!(skipped(&dataset, folder.path()), [".git: hidden"]);
}

#[test]
fn two_files_with_one_key_are_an_error_that_lists_them() {
    let folder = folder(&[("a.jpg", b""), ("a.png", b""), ("A.JPG", b""), ("b.jpg", b"")]);
    let message = scan(folder.path(), KeyKind::Stem).unwrap_err().to_string();
    assert!(message.contains("\"a\": a.jpg and a.png") && message.contains("--key name"), "{message}");
    assert_eq!(keys(&scan(folder.path(), KeyKind::Name).unwrap()), ["A.JPG", "a.jpg", "a.png", "b.jpg"]);
}

#[test]
fn a_thousand_doubled_keys_make_a_short_message() {
    let names: Vec<String> = (0..1000).flat_map(|n| [format!("{n}.jpg"), format!("{n}.png")]).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let message = scan(folder(&files).path(), KeyKind::Stem).unwrap_err().to_string();
    assert!(message.lines().count() < 15 && message.contains("990 more"), "{message}");
}

#[test]
fn a_folder_without_images_a_file_and_nothing_are_errors() {
    let folder = folder(&[("notes.txt", b"text")]);
    let empty = scan(folder.path(), KeyKind::Stem).unwrap_err();
    assert!(matches!(&empty, Error::Usage(text) if text.contains("1 other")), "{empty}");
    assert!(matches!(scan(&folder.path().join("notes.txt"), KeyKind::Stem), Err(Error::Usage(_))));
    assert!(matches!(scan(&folder.path().join("missing"), KeyKind::Stem), Err(Error::Io { .. })));
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use vgg_wgpu::images::{self, ImageError};

    use super::*;

    #[test]
    fn links_to_files_count_and_loops_and_pipes_do_not_hang() {
        let folder = folder(&[("sub/a.jpg", b"")]);
        let path = |name: &str| folder.path().join(name);
        symlink(path("sub/a.jpg"), path("link.jpg")).unwrap();
        symlink("missing.jpg", path("dangling.jpg")).unwrap();
        symlink(folder.path(), path("sub/loop")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe.jpg")).status().unwrap().success());
        let dataset = scan(folder.path(), KeyKind::RelPath).unwrap();
        assert_eq!(keys(&dataset), ["dangling.jpg", "link.jpg", "sub/a.jpg"]);
        let expected = ["pipe.jpg: not a regular file", "sub/loop: a link to a folder"];
        assert_eq!(skipped(&dataset, folder.path()), expected);
        assert!(matches!(images::load(&path("pipe.jpg")), Err(ImageError::Io(_))));
        assert!(matches!(images::load(&path("dangling.jpg")), Err(ImageError::Io(_))));
    }

    #[test]
    fn an_image_whose_name_is_not_unicode_is_a_failure_and_newlines_are_fine() {
        let folder = folder(&[("two\nlines.jpg", b"")]);
        // macOS does not create such names.
        if fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.jpg")), b"").is_err() {
            return;
        }
        let dataset = scan(folder.path(), KeyKind::Stem).unwrap();
        assert_eq!(keys(&dataset), ["two\nlines"]);
        assert_eq!(dataset.skipped.len(), 1);
        assert!(dataset.skipped[0].1.is_failure());
    }
}
