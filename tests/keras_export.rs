//! Exported models: read again they are the same, and a seed gives the same bytes.

use std::fs;
use std::path::Path;

use vgg_wgpu::keras::{Architecture, Model, export, untrained};
use vgg_wgpu::{Error, LayerChoice};

/// A model with every kind of parameter, with fresh weights.
fn model(seed: u64) -> Model {
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras/keras-3/every_layer.json");
    untrained::model(Architecture::open(&json).unwrap(), seed)
}

fn values(model: &Model) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let parameters = model.parameters.iter().flatten();
    parameters.map(|own| (own.name.clone(), own.shape.clone(), own.load().unwrap())).collect()
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("made/for it");
    let model = model(7);
    let [json, h5] = export::write(&model, &inner, false).unwrap();
    let read = Model::open(Some(&json), Some(&h5)).unwrap();
    assert_eq!(read.architecture.layers, model.architecture.layers);
    assert_eq!(values(&read), values(&model));
    assert!(values(&read).iter().any(|(name, ..)| name.ends_with("moving_variance")), "no normalisation in it");
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 2, "something else was left in the folder");
}

#[test]
fn another_reader_finds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(7);
    let [_, h5] = export::write(&model, folder.path(), false).unwrap();
    let file = hdf5_reader::Hdf5File::open(&h5).unwrap();
    for (name, shape, expected) in values(&model) {
        let array = file.dataset(&format!("{name}:0")).unwrap().read_array::<f32>().unwrap();
        assert_eq!(array.shape(), shape, "{name}");
        assert_eq!(array.into_iter().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn a_seed_gives_the_same_bytes() {
    let bytes = |seed| {
        let folder = tempfile::tempdir().unwrap();
        export::write(&model(seed), folder.path(), false).unwrap().map(|path| fs::read(path).unwrap())
    };
    let [json, h5] = bytes(7);
    assert!(bytes(7) == [json.clone(), h5.clone()]);
    let [same_json, other_h5] = bytes(8);
    assert!(json == same_json && h5 != other_h5);
}

#[test]
fn files_that_exist_stay_unless_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let [json, h5] = export::write(&model(7), folder.path(), false).unwrap();
    let before = fs::read(&h5).unwrap();
    fs::remove_file(json).unwrap();
    let error = export::write(&model(8), folder.path(), false).unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains("vgg16_exported.h5 exists")), "{error:?}");
    assert_eq!(fs::read(&h5).unwrap(), before);
    export::write(&model(8), folder.path(), true).unwrap();
    assert_ne!(fs::read(&h5).unwrap(), before);
}

#[test]
fn a_truncated_model_is_written_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let truncated = model(7).truncate(&LayerChoice::Index(3)).unwrap();
    let [json, h5] = export::write(&truncated, folder.path(), false).unwrap();
    let read = Model::open(Some(&json), Some(&h5)).unwrap();
    assert_eq!(read.architecture.layers.len(), truncated.architecture.layers.len());
    assert_eq!(values(&read), values(&truncated));
}
