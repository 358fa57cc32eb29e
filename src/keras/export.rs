//! Models written as Keras's `to_json` and `save_weights` write them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, FileBuilder, make_f32_type};
use tempfile::NamedTempFile;

use super::open::{DEFAULT_MODEL, DEFAULT_WEIGHTS};
use super::{Layer, Model};
use crate::{Error, Parameter, Result, temporary_file};

/// What the files say wrote them. Any Keras from 2.3 reads them; the number keeps it from converting anything.
const KERAS_VERSION: &str = "2.15.0";
const BACKEND: &str = "tensorflow";

/// Writes `vgg16_exported.json` and `vgg16_exported.h5` into `folder` and returns their paths. Files that exist are
/// replaced only with `overwrite`. All weights are in memory while they are written, and the largest kernel twice.
pub fn write(model: &Model, folder: &Path, overwrite: bool) -> Result<[PathBuf; 2]> {
    let paths = [DEFAULT_MODEL, DEFAULT_WEIGHTS].map(|name| folder.join(name));
    for path in &paths {
        if !overwrite && path.exists() {
            let path = path.display();
            return Err(Error::Usage(format!("{path} exists; --overwrite replaces it")));
        }
    }
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let weights = weights_file(model)?;
    let [json, h5] = &paths;
    replace(json, |file| file.write_all(model.architecture.to_json().as_bytes()))?;
    replace(h5, |file| weights.finish_to(file).map_err(io::Error::other))?;
    Ok(paths)
}

/// The legacy layout: a group for each layer that has weights.
fn weights_file(model: &Model) -> Result<FileBuilder> {
    let with_weights = || model.architecture.layers.iter().zip(&model.parameters).filter(|(_, own)| !own.is_empty());
    let mut file = FileBuilder::new();
    let names = with_weights().map(|(layer, _)| layer.name.clone()).collect();
    file.set_attr("layer_names", AttrValue::AsciiStringArray(names));
    file.set_attr("backend", AttrValue::AsciiString(BACKEND.into()));
    file.set_attr("keras_version", AttrValue::AsciiString(KERAS_VERSION.into()));
    for (layer, parameters) in with_weights() {
        add_layer(&mut file, layer, parameters)?;
    }
    Ok(file)
}

fn add_layer(file: &mut FileBuilder, layer: &Layer, parameters: &[Parameter]) -> Result<()> {
    let mut group = file.create_group(&layer.name);
    let mut names = Vec::new();
    for parameter in parameters {
        // `conv2d/kernel` here is `kernel:0` in the layer's group, as TensorFlow names variables.
        let own = parameter.name.rsplit('/').next().unwrap_or(&parameter.name);
        let name = format!("{own}:0");
        let values = parameter.load()?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape: Vec<u64> = parameter.shape.iter().map(|&dim| dim as u64).collect();
        group.create_dataset(&name).with_raw_data(make_f32_type(), bytes, values.len() as u64).with_shape(&shape);
        names.push(name);
    }
    group.set_attr("weight_names", AttrValue::AsciiStringArray(names));
    file.add_group(group.finish());
    Ok(())
}

/// Writes a file beside `path` and gives it that name when it is complete.
fn replace(path: &Path, write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>) -> Result<()> {
    let written = temporary_file::beside(path).and_then(|mut file| {
        write(&mut file)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|problem| problem.error)
    });
    written.map(drop).map_err(Error::io("write", path))
}
