//! Weights files in every form that users meet: each reads to the same values, or is refused with the words that help.
//! `tests/fixtures/weights` holds what Python's h5py wrote.

mod keras_fixture;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use keras_fixture::Fixture;
use vgg_wgpu::keras::Model;
use vgg_wgpu::{Error, Parameter, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Different storage of the same values.
const READABLE: [&str; 14] = [
    "plain",
    "big_endian",
    "compact",
    "float64",
    "float64_big_endian",
    "split_names",
    "chunked",
    "chunked_gzip_shuffle",
    "chunked_lzf_fletcher32",
    "v114_dense",
    "v114_early_chunks",
    "v114_one_chunk",
    "windows_layers",
    "windows_dependencies",
];

/// What is found when a file is opened, with words of the error.
const REFUSED: [(&str, &[&str]); 25] = [
    ("external_link", &["conv/kernel:0", "a link, which is not followed"]),
    ("external_values", &["conv/kernel:0", "is in another file"]),
    ("float16", &["conv/kernel:0", "f16", "save it as float32"]),
    ("half_written", &["conv/kernel:0", "8 of 16 chunks were never written", "save it again"]),
    ("huge", &["conv/kernel:0", "cannot be in a file of"]),
    ("int32", &["conv/kernel:0", "i32", "save it as float32"]),
    ("keras_0_3", &["Keras 0.3", "save them with Keras 1 or later"]),
    ("missing_weight", &["conv/bias:0", "missing"]),
    ("no_bias", &["layer conv (Conv2D)", "kernel, bias were expected", "found: conv/kernel:0"]),
    ("not_keras", &["no Keras weights", "measurements"]),
    ("other_float", &["conv/kernel:0", "save it as float32"]),
    ("other_shape", &["layer conv (Conv2D)", "[3, 3, 3, 2] was expected", "[3, 3, 3, 3]", "small.json"]),
    ("scale_offset", &["conv/kernel:0", "filter 6 (scaleoffset)", "gzip"]),
    ("soft_link", &["conv/kernel:0", "a link, which is not followed"]),
    ("soft_link_circle", &["conv/kernel:0", "link"]),
    ("split_names_with_a_gap", &["1 layers", "small.json has 2"]),
    ("three_layers", &["3 layers", "small.json has 2"]),
    ("unwritten", &["conv/kernel:0", "never written"]),
    ("unwritten_chunks", &["conv/kernel:0", "16 of 16 chunks were never written"]),
    ("v114_b_tree", &["conv/kernel:0", "BTreeV2", "save it again"]),
    ("v114_extensible_array", &["conv/kernel:0", "ExtensibleArray", "save it again"]),
    ("v114_fixed_array", &["conv/kernel:0", "FixedArray", "save it again"]),
    ("v200_chunked", &["conv/kernel:0", "data layout version: 5"]),
    ("virtual", &["conv/kernel:0", "other datasets"]),
    ("wide_chunks", &["conv/kernel:0", "[128, 128, 128, 128] are larger than its shape [3, 3, 3, 2]"]),
];

/// What only the values show.
const REFUSED_VALUES: [(&str, &[&str]); 2] = [
    ("infinity", &["conv/kernel [3, 3, 3, 2]", "holds inf at position 42"]),
    ("nan", &["conv/kernel [3, 3, 3, 2]", "holds NaN at position 42"]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights").join(name)
}

fn weights(name: &str) -> PathBuf {
    fixture(&format!("{name}.h5"))
}

/// The small model with these weights.
fn open(weights: &Path) -> Result<Model> {
    Model::open(Some(&fixture("small.json")), Some(weights))
}

fn load(model: &Model) -> Result<Vec<Vec<f32>>> {
    model.parameters.iter().flatten().map(|parameter| parameter.load()).collect()
}

/// The same, of so many values at a time.
fn load_parts(model: &Model, part_len: usize) -> Result<Vec<Vec<f32>>> {
    let in_parts = |parameter: &Parameter| {
        let mut values = Vec::new();
        parameter.load_parts(part_len, &mut |part| {
            assert!(part.len() == part_len || values.len() + part.len() == parameter.len());
            values.extend_from_slice(part);
            Ok(())
        })?;
        Ok(values)
    };
    model.parameters.iter().flatten().map(in_parts).collect()
}

/// Whether the error is about a model file, names that file and has all the words.
fn assert_refused<T>(result: Result<T>, file: &Path, words: &[&str]) {
    let error = result.err().unwrap_or_else(|| panic!("{} was read", file.display()));
    let text = error.to_string();
    assert!(matches!(error, Error::Model { .. }), "{}: {error:?}", file.display());
    for word in words.iter().chain([&file.file_name().unwrap().to_str().unwrap()]) {
        assert!(text.contains(word), "\"{word}\" is missing: {text}");
    }
}

#[test]
fn the_same_values_in_every_storage() {
    let expected = [54, 2, 160, 5].map(|len| (0..len).map(|index| index as f32 / 7.0 - 3.0).collect::<Vec<_>>());
    for name in READABLE {
        let model = open(&weights(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(load(&model).unwrap_or_else(|error| panic!("{error}")), expected, "{name}");
        for part_len in [1, 7, 1000] {
            let values = load_parts(&model, part_len).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(values, expected, "{name} in parts of {part_len}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_when_opened() {
    for (name, words) in REFUSED {
        assert_refused(open(&weights(name)), &weights(name), words);
    }
}

#[test]
fn values_that_no_network_has_are_refused_when_loaded() {
    for (name, words) in REFUSED_VALUES {
        assert_refused(load(&open(&weights(name)).unwrap()), &weights(name), words);
        assert_refused(load_parts(&open(&weights(name)).unwrap(), 7), &weights(name), words);
    }
}

#[test]
fn every_weights_fixture_is_tested() {
    let listed = READABLE.into_iter().chain(REFUSED.map(|(name, _)| name)).chain(REFUSED_VALUES.map(|(name, _)| name));
    let mut listed: Vec<PathBuf> = listed.map(weights).collect();
    listed.push(fixture("small.json"));
    let mut found: Vec<PathBuf> =
        fs::read_dir(fixture("")).unwrap().map(|file| fixture(file.unwrap().file_name().to_str().unwrap())).collect();
    listed.sort();
    found.sort();
    assert_eq!(found, listed);
}

#[test]
fn another_reader_finds_the_same_values() {
    let mut compared = 0;
    for fixture in Fixture::all() {
        if fixture.expected.backend == "theano" {
            continue; // Its kernels are stored in another order.
        }
        for extension in ["h5", "weights.h5", "model.h5", "keras"] {
            let path = fixture.path(extension);
            let Ok(bytes) = fs::read(&path) else { continue };
            let bytes = if bytes.starts_with(b"PK") { archived(&path) } else { bytes };
            let mut tensors = Vec::new();
            read_all(&hdf5_reader::Hdf5File::from_vec(bytes).unwrap().root_group().unwrap(), &mut tensors);
            let model = Model::open(Some(&fixture.path("json")), Some(&path)).unwrap();
            for parameter in model.parameters.iter().flatten() {
                let tensor = (parameter.shape.clone(), parameter.load().unwrap());
                assert!(tensors.contains(&tensor), "{}: {}", path.display(), parameter.name);
                compared += 1;
            }
        }
    }
    println!("{compared} weights compared");
    assert!(compared > 300, "only {compared} weights compared");
}

/// The weights of a `.keras` file.
fn archived(path: &Path) -> Vec<u8> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_name("model.weights.h5").unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Every float32 dataset below `group`, with its shape.
fn read_all(group: &hdf5_reader::group::Group, tensors: &mut Vec<(Vec<usize>, Vec<f32>)>) {
    let (groups, datasets) = group.members().unwrap();
    let arrays = datasets.iter().filter_map(|dataset| dataset.read_array::<f32>().ok());
    tensors.extend(arrays.map(|array| (array.shape().to_vec(), array.into_iter().collect())));
    for group in groups {
        read_all(&group, tensors);
    }
}

#[test]
fn files_that_are_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.h5");
    let plain = fs::read(weights("plain")).unwrap();
    let half = plain.len() / 2;
    let contents: [(&[u8], &[&str]); 6] = [
        (b"", &["0 bytes", "cut off"]),
        (&plain[..1], &["1 bytes", "cut off"]),
        (&plain[..half], &["truncated", "6744 bytes", "3372", "again"]),
        (&plain[..plain.len() - 1], &["truncated", "6744 bytes", "6743", "again"]),
        (b"<!DOCTYPE html>\n<html>404</html>", &["<!DOCTYP", "web page"]),
        (&[0; 4096], &["4096 bytes", "\\x00"]),
    ];
    for (content, words) in contents {
        fs::write(&file, content).unwrap();
        assert_refused(open(&file), &file, words);
    }
    assert_refused(open(folder.path()), folder.path(), &["not a regular file"]);
    let json = fixture("small.json");
    assert_refused(open(&json), &json, &["an architecture; weights were expected"]);
    let given_as_model = Model::open(Some(&weights("plain")), None);
    assert_refused(given_as_model, &weights("plain"), &["weights without an architecture", "--weights", "--model"]);
}

#[test]
fn archives_that_keras_did_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.keras");
    let json = fs::read(fixture("small.json")).unwrap();
    let h5 = fs::read(weights("plain")).unwrap();
    let open = |entries: &[(&str, &[u8])], compression| {
        archive(&file, entries, compression);
        Model::open(Some(&file), None)
    };
    let (config, weights) = (("config.json", &json[..]), ("model.weights.h5", &h5[..]));

    load(&open(&[config, weights], CompressionMethod::Stored).unwrap()).unwrap();
    let compressed = open(&[config, weights], CompressionMethod::Deflated);
    assert_refused(compressed, &file, &["model.weights.h5 is compressed", "pack it anew"]);
    assert_refused(open(&[weights], CompressionMethod::Stored), &file, &["config.json", "not found"]);
    assert_refused(open(&[config], CompressionMethod::Stored), &file, &["model.weights.h5", "not found"]);
    assert_refused(
        open(&[config, ("model.weights.h5", &h5[..3000])], CompressionMethod::Stored),
        Path::new("model.weights.h5"),
        &["truncated", "6744 bytes", "3000"],
    );
    archive(&file, &[config, weights], CompressionMethod::Stored);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1000]).unwrap();
    assert_refused(Model::open(Some(&file), None), &file, &["damaged .keras archive"]);
}

/// As Keras's `load_weights`, which never looks at it: the layers of the architecture that is given may be other ones.
#[test]
fn a_whole_model_s_own_architecture_need_not_be_supported_for_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    let keras = folder.path().join("small.keras");
    let h5 = fs::read(weights("plain")).unwrap();
    archive(&keras, &[("config.json", b"{}"), ("model.weights.h5", &h5)], CompressionMethod::Stored);
    load(&open(&keras).unwrap()).unwrap();
    assert_refused(Model::open(Some(&keras), None), &keras, &["not a Keras architecture"]);

    let whole = folder.path().join("model.h5");
    let fixtures = Fixture::all();
    let fixture = fixtures.iter().find(|fixture| fixture.stem.ends_with("keras-3/mini_vgg_functional")).unwrap();
    let mut bytes = fs::read(fixture.path("model.h5")).unwrap();
    let class = bytes.windows(12).position(|bytes| bytes == b"MaxPooling2D").unwrap();
    bytes[class..class + 12].copy_from_slice(b"MaxPooling9D");
    fs::write(&whole, bytes).unwrap();
    load(&Model::open(Some(&fixture.path("json")), Some(&whole)).unwrap()).unwrap();
    assert_refused(Model::open(None, Some(&whole)), &whole, &["MaxPooling9D", "not supported"]);
}

fn archive(path: &Path, entries: &[(&str, &[u8])], compression: CompressionMethod) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, content) in entries {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(compression)).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}
