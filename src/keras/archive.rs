//! `.keras` files: a zip of `config.json` and `model.weights.h5`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::weights::hdf5::Region;
use crate::{Error, Result};

/// What every zip that holds something begins with.
pub const SIGNATURE: [u8; 4] = *b"PK\x03\x04";

/// The name of the weights in the archive.
pub const WEIGHTS_ENTRY: &str = "model.weights.h5";

/// No architecture of a chain of layers is larger.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// The architecture's JSON and the place of the weights.
pub struct Archive {
    pub config: String,
    pub weights: Region,
}

/// Opens the archive at `path`. Its weights must be stored, as Keras stores them, not deflated.
pub fn open(path: &Path) -> Result<Archive> {
    let origin = path.display().to_string();
    let fail = |problem: String| Error::model(&origin, problem);
    let open = || File::open(path).map_err(Error::io("read the model", path));
    let damaged = |what: &str, problem: ZipError| fail(format!("damaged .keras archive: {what}: {problem}"));
    let mut archive = ZipArchive::new(open()?).map_err(|problem| damaged("its list of files", problem))?;
    let mut config = String::new();
    let entry = archive.by_name("config.json").map_err(|problem| damaged("config.json", problem))?;
    entry
        .take(MAX_CONFIG_BYTES)
        .read_to_string(&mut config)
        .map_err(|problem| fail(format!("config.json: {problem}")))?;
    let entry = archive.by_name(WEIGHTS_ENTRY).map_err(|problem| damaged(WEIGHTS_ENTRY, problem))?;
    if entry.compression() != CompressionMethod::Stored {
        return Err(fail(format!("{WEIGHTS_ENTRY} is compressed, which Keras never does; pack it anew without")));
    }
    let (start, size) = (entry.data_start(), entry.size());
    let start = start.ok_or_else(|| fail(format!("{WEIGHTS_ENTRY} has no place in the archive")))?;
    drop(entry);
    let file = open()?;
    let len = file.metadata().map_err(Error::io("read the model", path))?.len();
    if start.checked_add(size).is_none_or(|end| end > len) {
        return Err(fail(format!("truncated: {WEIGHTS_ENTRY} ends beyond the archive's {len} bytes")));
    }
    Ok(Archive { config, weights: Region::new(file, start, size) })
}
