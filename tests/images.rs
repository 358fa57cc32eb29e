//! Decoding and resizing against Pillow's pixels, which tests/fixtures/make_image_fixtures.py wrote.

use std::fs;
use std::path::{Path, PathBuf};

use vgg_wgpu::images::{self, Filter, ImageError, RgbImage};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn with_extension(paths: Vec<PathBuf>, is_ppm: bool) -> Vec<PathBuf> {
    paths.into_iter().filter(|path| (path.extension().unwrap() == "ppm") == is_ppm).collect()
}

/// A binary PPM as Pillow writes it: `P6`, the size and 255 on three lines, then the pixels.
fn read_ppm(path: &Path) -> RgbImage {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<&[u8]> = bytes.splitn(4, |&byte| byte == b'\n').collect();
    assert_eq!((lines[0], lines[2]), (&b"P6"[..], &b"255"[..]), "{}", path.display());
    let size: Vec<usize> = str::from_utf8(lines[1]).unwrap().split(' ').map(|side| side.parse().unwrap()).collect();
    RgbImage::new(size[0], size[1], lines[3].to_vec())
}

/// The first difference in words, or nothing.
fn difference(found: &RgbImage, expected: &RgbImage) -> Option<String> {
    if (found.width, found.height) != (expected.width, expected.height) {
        return Some(format!("{found:?} instead of {expected:?}"));
    }
    let at = found.pixels.iter().zip(&expected.pixels).position(|(found, expected)| found != expected)?;
    let wrong = found.pixels.iter().zip(&expected.pixels).filter(|(found, expected)| found != expected).count();
    let (x, y, channel) = (at / 3 % found.width, at / 3 / found.width, at % 3);
    let (found, expected) = (found.pixels[at], expected.pixels[at]);
    Some(format!("{wrong} values differ, the first at x {x}, y {y}, channel {channel}: {found} instead of {expected}"))
}

fn assert_none(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn assert_pillows_pixels(paths: &[PathBuf], load: impl Fn(&Path) -> Result<RgbImage, ImageError>) {
    let failures = paths.iter().filter_map(|path| {
        let expected = read_ppm(&PathBuf::from(format!("{}.ppm", path.display())));
        let problem = match load(path) {
            Ok(found) => difference(&found, &expected),
            Err(error) => Some(error.to_string()),
        };
        problem.map(|problem| format!("{}: {problem}", path.display()))
    });
    assert_none(failures.collect());
}

#[test]
fn every_format_decodes_to_pillows_pixels() {
    let paths = with_extension(fixtures("decode"), false);
    assert!(paths.len() > 80, "{} fixtures", paths.len());
    assert_pillows_pixels(&paths, images::load);
    assert_pillows_pixels(&paths, images::load_lenient);
}

#[test]
fn truncated_and_damaged_images_are_filled_up_as_pillow_does_only_when_lenient() {
    let paths = with_extension(fixtures("lenient"), false);
    let count = |extension| paths.iter().filter(|path| path.extension().unwrap() == extension).count();
    let counts = ["jpg", "png", "bmp", "gif", "tiff"].map(count);
    assert_eq!(counts, [14, 60, 6, 4, 3]);
    assert_pillows_pixels(&paths, images::load_lenient);
    for path in paths {
        assert!(matches!(images::load(&path), Err(ImageError::Damaged(_))), "{}", path.display());
    }
}

#[test]
fn a_jpeg_cut_in_its_headers_is_refused_even_when_lenient() {
    let path = fixtures("decode").into_iter().find(|path| path.ends_with("baseline_420.jpg")).unwrap();
    let bytes = fs::read(path).unwrap();
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    let header_end = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
    assert!((0..header_end).all(|len| images::decode_lenient(&bytes[..len]).is_err()));
    assert!((header_end..bytes.len()).all(|len| images::decode_lenient(&bytes[..len]).is_ok()));
}

#[test]
fn a_png_cut_before_its_pixels_is_refused_even_when_lenient() {
    let path = fixtures("decode").into_iter().find(|path| path.ends_with("type3_8bit.png")).unwrap();
    let bytes = fs::read(path).unwrap();
    let pixels = bytes.windows(4).position(|name| name == b"IDAT").unwrap() + 4;
    assert!((0..pixels).all(|len| images::decode_lenient(&bytes[..len]).is_err()));
    assert!((pixels..bytes.len()).all(|len| images::decode_lenient(&bytes[..len]).is_ok()));
}

#[test]
fn every_filter_resizes_to_pillows_pixels() {
    let paths = with_extension(fixtures("resize"), true);
    assert!(paths.len() >= 28, "{} fixtures", paths.len());
    let failures = paths.iter().filter_map(|path| {
        let expected = read_ppm(path);
        let parts: Vec<&str> = path.file_stem().unwrap().to_str().unwrap().rsplitn(3, '_').collect();
        let filter = match parts[0] {
            "nearest" => Filter::Nearest,
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            "lanczos" => Filter::Lanczos,
            other => panic!("{other}"),
        };
        let source = images::load(&path.with_file_name(format!("{}.png", parts[2]))).unwrap();
        let found = images::resize(&source, expected.width, expected.height, filter);
        difference(&found, &expected).map(|problem| format!("{}: {problem}", path.display()))
    });
    assert_none(failures.collect());
}

#[test]
fn what_pillow_refuses_is_refused_with_the_reason() {
    let reason = |name: &str| {
        let path = fixtures("refused").into_iter().find(|path| path.file_name().unwrap() == name).unwrap();
        images::load(&path).expect_err(name)
    };
    assert!(matches!(reason("page.jpg"), ImageError::NotAnImage(text) if text.contains("<!DOCTYPE html>")));
    assert!(matches!(reason("12_bits.jpg"), ImageError::Unsupported(text) if text.contains("12 bits")));
    assert!(matches!(reason("65500_pixels_square.jpg"), ImageError::TooLarge(text) if text.contains("65500 x 65500")));
    assert!(matches!(reason("empty.jpg"), ImageError::Damaged(text) if text.contains("empty")));
    assert!(matches!(reason("half_baseline_420.jpg"), ImageError::Damaged(text) if text.contains("truncated")));
    assert!(matches!(reason("half_progressive_420.jpg"), ImageError::Damaged(text) if text.contains("truncated")));
    for path in fixtures("refused") {
        assert!(images::load(&path).is_err(), "{}", path.display());
    }
}

#[test]
fn files_over_the_size_limit_and_pipes_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.jpg");
    fs::File::create(&path).unwrap().set_len(images::MAX_FILE_BYTES + 1).unwrap();
    assert!(matches!(images::load(&path), Err(ImageError::TooLarge(_))));
    assert!(matches!(images::load(folder.path()), Err(ImageError::Io(_))));
    assert!(matches!(images::load(&folder.path().join("missing.jpg")), Err(ImageError::Io(_))));
}
