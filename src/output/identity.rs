//! What features are features of: everything that decides their values, but the images.

use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::extract::ExtractOptions;
use crate::images::{Filter, KeyKind};
use crate::ops::PreprocessMode;
use crate::{Error, Model, Result};

/// A model and how images are put into it. Features of two runs belong into one output only where all of this is the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The architecture.
    pub model: Origin,
    /// The weights.
    pub weights: Origin,
    /// The layer whose output the features are.
    pub layer: String,
    /// The shape of one image's features, the leading 1 included: `[1, 4096]`.
    pub shape: Vec<usize>,
    /// How pixels become the network's input.
    pub preprocess: PreprocessMode,
    /// How images are resized.
    pub resize: Filter,
    /// Whether damaged JPEGs are taken as far as they go.
    pub lenient: bool,
    /// What names an image.
    pub key: KeyKind,
}

/// Where a part of the model comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// A file.
    File {
        /// Its path when it was read. Another path with the same content is the same origin.
        file: String,
        /// Its content.
        #[serde(flatten)]
        digest: Digest,
    },
    /// No file: how it was made.
    Made(String),
}

/// The content of a file, as `b3sum` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The size in bytes.
    pub bytes: u64,
    /// BLAKE3, in hexadecimal.
    pub blake3: String,
}

impl Identity {
    /// The identity of features that `model` makes. Its files are read once more, to their end.
    pub fn of(model: &Model, preprocess: PreprocessMode, options: &ExtractOptions, key: KeyKind) -> Result<Identity> {
        let architecture = &model.architecture;
        let output = architecture.output_layer();
        let mut files = Files::default();
        Ok(Identity {
            model: files.origin(architecture.file.as_ref(), &architecture.origin)?,
            weights: files.origin(model.weights_file.as_ref(), &model.weights_origin)?,
            layer: output.name.clone(),
            shape: [vec![1], output.output.dims()].concat(),
            preprocess,
            resize: options.filter,
            lenient: options.lenient,
            key,
        })
    }

    /// Values in one image's features, or `None` where no memory holds as many.
    pub fn values(&self) -> Option<usize> {
        let values = self.shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
        (values <= isize::MAX as usize / size_of::<f32>()).then_some(values)
    }

    /// A line for each difference to `old`; none where features may be mixed.
    pub fn differences(&self, old: &Identity) -> Vec<String> {
        let fields = self.fields().into_iter().zip(old.fields());
        fields
            .filter(|((_, new), (_, old))| new != old)
            .map(|((name, new), (_, old))| format!("{name}: {old} then, {new} now"))
            .collect()
    }

    fn fields(&self) -> [(&'static str, String); 8] {
        [
            ("model", self.model.to_string()),
            ("weights", self.weights.to_string()),
            ("layer", self.layer.clone()),
            ("output shape", format!("{:?}", self.shape)),
            ("--preprocess", format!("{:?}", self.preprocess).to_lowercase()),
            ("--resize", format!("{:?}", self.resize).to_lowercase()),
            ("--lenient", self.lenient.to_string()),
            ("--key", format!("{:?}", self.key).to_lowercase()),
        ]
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without the path, which is no part of what the content is.
            Origin::File { digest, .. } => write!(f, "{} bytes with BLAKE3 {}", digest.bytes, digest.blake3),
            Origin::Made(text) => f.write_str(text),
        }
    }
}

impl Digest {
    /// The digest of a file.
    pub fn of_file(path: &Path) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        File::open(path).and_then(|file| hasher.update_reader(file)).map_err(Error::io("read", path))?;
        Ok(Digest::finish(&hasher))
    }

    /// The digest of what `hasher` has seen.
    pub(crate) fn finish(hasher: &blake3::Hasher) -> Digest {
        Digest { bytes: hasher.count(), blake3: hasher.finalize().to_hex().to_string() }
    }
}

/// Digests of files, so that a file that holds both architecture and weights is read once.
#[derive(Default)]
struct Files(HashMap<PathBuf, Digest>);

impl Files {
    fn origin(&mut self, file: Option<&PathBuf>, made: &str) -> Result<Origin> {
        let Some(path) = file else { return Ok(Origin::Made(made.to_owned())) };
        let digest = match self.0.entry(path.clone()) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => entry.insert(Digest::of_file(path)?).clone(),
        };
        Ok(Origin::File { file: path.display().to_string(), digest })
    }
}
