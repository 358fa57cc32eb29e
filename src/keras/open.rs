//! Which files make a model: explicit ones, the current folder's, Keras's cache.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, WEIGHTS_ENTRY};
use super::weights::hdf5::{self, Hdf5, Region};
use super::{Architecture, Model, cache, weights};
use crate::{Error, Result};

/// The architecture that is looked for in the current folder.
pub const DEFAULT_MODEL: &str = "vgg16_exported.json";

/// The weights that are looked for in the current folder.
pub const DEFAULT_WEIGHTS: &str = "vgg16_exported.h5";

/// No architecture of a chain of layers is larger.
const MAX_JSON_BYTES: u64 = 16 << 20;

impl Model {
    /// Opens a model. Files are recognised by their content.
    ///
    /// - Both given: an architecture and weights.
    /// - Only `model` given: a whole model (`.h5` or `.keras`); or an architecture, whose weights are then looked for.
    /// - Only `weights` given: a whole model; or weights of `vgg16_exported.json` in the current folder, or, where that is
    ///   not there, of VGG16.
    /// - None given: `vgg16_exported.json` and `vgg16_exported.h5` in the current folder.
    ///
    /// Weights that are not given are looked for as `vgg16_exported.h5` in the current folder, then, for an architecture
    /// that is VGG16's, in Keras's cache, where `fetch` puts them. Where there are none, the error names every place.
    pub fn open(model: Option<&Path>, weights: Option<&Path>) -> Result<Model> {
        let model = match (model, weights) {
            (Some(path), _) => Some((path, Opened::open(path)?)),
            (None, Some(path)) => match Opened::open(path)? {
                whole @ Opened::Whole { .. } => Some((path, whole)),
                Opened::Weights(_) | Opened::Architecture(_) => None,
            },
            (None, None) => None,
        };
        let architecture = match model {
            Some((model, Opened::Whole { config, weights: own })) => {
                let architecture = architecture(&config, model)?;
                return match weights {
                    Some(path) if !same_file(&own.origin, path) => with_weights(architecture, path),
                    _ => bind(architecture, own, model),
                };
            }
            Some((path, Opened::Architecture(config))) => architecture(&config, path)?,
            Some((_, Opened::Weights(file))) => {
                return Err(
                    file.error("weights without an architecture; give them as --weights, and a JSON as --model")
                );
            }
            None if Path::new(DEFAULT_MODEL).exists() => Architecture::open(Path::new(DEFAULT_MODEL))?,
            None => Architecture::vgg16(),
        };
        match weights {
            Some(path) => with_weights(architecture, path),
            None => {
                let path = find_weights(&architecture)?;
                with_weights(architecture, &path)
            }
        }
    }
}

impl Architecture {
    /// The architecture in a JSON file or a whole model.
    pub fn open(path: &Path) -> Result<Architecture> {
        match Opened::open(path)? {
            Opened::Architecture(config) | Opened::Whole { config, .. } => architecture(&config, path),
            Opened::Weights(file) => {
                Err(file.error("weights only; an architecture was expected: a Keras JSON, or a whole model"))
            }
        }
    }
}

/// What a file turned out to be. A whole model may be opened for its weights alone, so `config` is the text of the
/// architecture, not yet understood.
enum Opened {
    Architecture(String),
    Weights(Hdf5),
    Whole { config: String, weights: Hdf5 },
}

impl Opened {
    fn open(path: &Path) -> Result<Opened> {
        let read = |problem| Error::io("read the model", path)(problem);
        let origin = path.display().to_string();
        // Asked before opening, because opening a named pipe waits for its writer.
        let metadata = std::fs::metadata(path).map_err(read)?;
        if !metadata.is_file() {
            return Err(Error::model(origin, "not a regular file"));
        }
        let mut file = File::open(path).map_err(read)?;
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(8).read_to_end(&mut start).map_err(read)?;
        if start.starts_with(&hdf5::SIGNATURE) {
            let file = Hdf5::open(Region::new(file, 0, metadata.len()), origin)?;
            return Ok(match file.string(&file.root(), "model_config")? {
                None => Opened::Weights(file),
                Some(config) => Opened::Whole { config, weights: file },
            });
        }
        if start.starts_with(&archive::SIGNATURE) {
            let archive = archive::open(path)?;
            let weights = Hdf5::open(archive.weights, format!("{origin}/{WEIGHTS_ENTRY}"))?;
            return Ok(Opened::Whole { config: archive.config, weights });
        }
        // A JSON begins with a brace, or with a quotation mark where it is a string that holds the JSON.
        let json = start.trim_ascii_start().first().is_some_and(|first| b"{\"".contains(first));
        if !json || metadata.len() > MAX_JSON_BYTES {
            let (len, start) = (metadata.len(), start.escape_ascii());
            let problem = format!(
                "neither a Keras JSON nor an HDF5 file nor a .keras archive: {len} bytes that begin with \"{start}\". \
                 Was a web page saved, or a download cut off?"
            );
            return Err(Error::model(origin, problem));
        }
        Ok(Opened::Architecture(std::fs::read_to_string(path).map_err(read)?))
    }
}

/// The architecture in the text `config` of the file `path`.
fn architecture(config: &str, path: &Path) -> Result<Architecture> {
    let mut architecture = Architecture::from_json(config, &path.display().to_string())?;
    architecture.file = Some(path.to_owned());
    Ok(architecture)
}

fn with_weights(architecture: Architecture, path: &Path) -> Result<Model> {
    match Opened::open(path)? {
        Opened::Weights(file) | Opened::Whole { weights: file, .. } => bind(architecture, file, path),
        Opened::Architecture(_) => {
            let problem = "an architecture; weights were expected: .h5, .weights.h5 or .keras";
            Err(Error::model(path.display().to_string(), problem))
        }
    }
}

fn bind(architecture: Architecture, file: Hdf5, path: &Path) -> Result<Model> {
    let origin = file.origin.clone();
    let parameters = weights::parameters(&architecture, Arc::new(file))?;
    let mut model = Model::new(architecture, parameters, origin);
    model.weights_file = Some(path.to_owned());
    Ok(model)
}

/// The weights that nobody named, or an error that says where they were looked for.
fn find_weights(architecture: &Architecture) -> Result<PathBuf> {
    let mut places = vec![PathBuf::from(DEFAULT_WEIGHTS)];
    if is_vgg16(architecture) {
        places.extend(cache::models_folder().map(|folder| folder.join(cache::VGG16_FILE)));
    }
    if let Some(found) = places.iter().find(|place| place.exists()) {
        return Ok(found.clone());
    }
    let list: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    Err(Error::Usage(format!(
        "no weights were found. Looked for: {}. Give yours with --weights FILE; or download Keras's with `vgg-wgpu fetch`; \
         or make untrained ones, whose features mean nothing, with `vgg-wgpu init`",
        list.join(", ")
    )))
}

/// Whether VGG16's published weights are of this architecture: the same parameters in the same order.
fn is_vgg16(architecture: &Architecture) -> bool {
    let shapes = |architecture: &Architecture| -> Vec<Vec<usize>> {
        let layers = architecture.layers.iter().enumerate();
        layers
            .flat_map(|(index, layer)| layer.kind.parameters(architecture.input_of(index)))
            .map(|(_, shape)| shape)
            .collect()
    };
    shapes(architecture) == shapes(&Architecture::vgg16())
}

/// Whether the weights of a whole model were named by `path` too.
fn same_file(origin: &str, path: &Path) -> bool {
    let path = path.display().to_string();
    origin == path || origin == format!("{path}/{WEIGHTS_ENTRY}")
}
