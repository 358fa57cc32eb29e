//! Safe access to the datasets of an HDF5 file, which may be an entry of an archive.
//!
//! `hdf5-pure` reads the metadata. Values that lie in one piece are read here, straight from the file into the vector that
//! is returned: a dense layer's 411 MB are never held twice. Nothing is allocated by a size from the file before that size
//! was found to be what the architecture expects.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;

use hdf5_pure::{AttrValue, File, FormatError, Group, Source};
use rayon::prelude::*;

use super::storage::{self, Place, Precision};
use crate::parameter::{ParameterSource, Visit};
use crate::{Error, Result, pages};

/// What every HDF5 file begins with.
pub const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// What one thread reads at a time of a tensor that several read: few enough for [`pages::populate`].
const READ_VALUES: usize = 1 << 16;

/// A part of a file: all of it, or a stored entry of an archive.
#[derive(Debug)]
pub struct Region {
    file: fs::File,
    start: u64,
    len: u64,
}

impl Region {
    /// `len` bytes of `file` from `start` on.
    pub fn new(file: fs::File, start: u64, len: u64) -> Region {
        Region { file, start, len }
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a read beyond the end"));
        }
        read_exact_at(&self.file, bytes, self.start + offset)
    }
}

/// Reads without moving a place in the file that others would share.
#[cfg(unix)]
fn read_exact_at(file: &fs::File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &fs::File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => (bytes, offset) = (&mut bytes[count..], offset + count as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The region as `hdf5-pure` reads it.
struct Shared(Arc<Region>);

impl Source for Shared {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        self.0.read(offset, buf).map_err(|error| FormatError::Source(error.to_string()))
    }
}

/// An open HDF5 file.
pub struct Hdf5 {
    /// The file's path, and the entry's name where it is in an archive.
    pub origin: String,
    file: File,
    region: Arc<Region>,
}

impl fmt::Debug for Hdf5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hdf5({})", self.origin)
    }
}

impl Hdf5 {
    /// Opens it and checks that it is all there. Reads metadata only.
    pub fn open(region: Region, origin: String) -> Result<Hdf5> {
        let mut start = [0; 8];
        let len = region.len;
        region.read(0, &mut start[..len.min(8) as usize]).map_err(Error::io("read the weights", &origin))?;
        if start != SIGNATURE {
            let problem = format!(
                "not an HDF5 file: {len} bytes that begin with \"{}\". Was a web page saved, or a download cut off?",
                start[..len.min(8) as usize].escape_ascii()
            );
            return Err(Error::model(origin, problem));
        }
        let region = Arc::new(region);
        let damaged = |problem: hdf5_pure::Error| {
            Error::model(&origin, format!("damaged HDF5 of {len} bytes: {problem}. Download or copy it again"))
        };
        let file = File::from_source(Shared(region.clone())).map_err(damaged)?;
        let expected = file.superblock().eof_address;
        if expected > len {
            let problem = format!("truncated: the file says it has {expected} bytes, {len} are there. Copy it again");
            return Err(Error::model(origin, problem));
        }
        Ok(Hdf5 { origin, file, region })
    }

    /// The root group.
    pub fn root(&self) -> Group {
        self.file.root()
    }

    /// An error about this file.
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::model(&self.origin, problem.to_string())
    }

    /// The attributes of a group.
    pub fn attributes(&self, group: &Group) -> Result<std::collections::HashMap<String, AttrValue>> {
        group.attrs().map_err(|problem| self.error(problem))
    }

    /// A string attribute, such as `keras_version`.
    pub fn string(&self, group: &Group, name: &str) -> Result<Option<String>> {
        Ok(self.attributes(group)?.get(name).and_then(AttrValue::as_str).map(str::to_owned))
    }

    /// A string array attribute; one over HDF5's 64 KiB is split by Keras into `name0`, `name1`, and so on. `None` where
    /// it is missing, empty where it holds nothing, whatever its type then is.
    pub fn strings(&self, group: &Group, name: &str) -> Result<Option<Vec<String>>> {
        let attributes = self.attributes(group)?;
        let list = |value: &AttrValue| value.as_strings().map_or_else(Vec::new, <[String]>::to_vec);
        if let Some(value) = attributes.get(name) {
            return Ok(Some(list(value)));
        }
        let parts: Vec<&AttrValue> = (0..).map_while(|part| attributes.get(&format!("{name}{part}"))).collect();
        Ok(if parts.is_empty() { None } else { Some(parts.into_iter().flat_map(list).collect()) })
    }

    /// The dataset at `path` below `group`, checked to be of a kind that can be read.
    pub fn tensor(self: &Arc<Hdf5>, group: &Group, path: &str) -> Result<StoredTensor> {
        let fail = |problem: String| self.error(format!("weight {path}: {problem}"));
        let dataset = group.dataset(path).map_err(|problem| {
            fail(format!("it is missing, damaged, or a link, which is not followed: {problem}. Save the weights again"))
        })?;
        let shape = dataset.shape().map_err(|problem| fail(problem.to_string()))?;
        let place = storage::place(&dataset, &shape, self.region.len).map_err(fail)?;
        // Fits: a shape whose values are in the file.
        let shape = shape.into_iter().map(|dim| dim as usize).collect();
        Ok(StoredTensor { hdf5: self.clone(), dataset, name: path.to_owned(), shape, place })
    }
}

/// A tensor of a weights file, not yet read.
pub struct StoredTensor {
    hdf5: Arc<Hdf5>,
    dataset: hdf5_pure::Dataset,
    /// Its path below the group of all layers.
    pub name: String,
    /// As the file declares it; not to be trusted before it was compared with the architecture.
    pub shape: Vec<usize>,
    place: Place,
}

impl fmt::Debug for StoredTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredTensor({} {:?} in {})", self.name, self.shape, self.hdf5.origin)
    }
}

impl StoredTensor {
    /// Reads values that lie in one piece from `address` on, on all threads.
    fn read(&self, address: u64, values: &mut [f32]) -> Result<()> {
        let read = |(block, values): (usize, &mut [f32])| {
            pages::populate(values);
            let address = address + (block * READ_VALUES * size_of::<f32>()) as u64;
            self.hdf5.region.read(address, bytemuck::cast_slice_mut(values))
        };
        let blocks = values.par_chunks_mut(READ_VALUES).enumerate();
        blocks.try_for_each(read).map_err(|problem| self.hdf5.error(format!("weight {}: {problem}", self.name)))
    }
}

impl ParameterSource for StoredTensor {
    fn load(&self, len: usize) -> Result<Vec<f32>> {
        let fail = |problem: String| self.hdf5.error(format!("weight {}: {problem}", self.name));
        let values = match self.place {
            Place::OnePiece { address } => {
                let mut values = vec![0f32; len];
                self.read(address, &mut values)?;
                values
            }
            Place::Elsewhere(Precision::Single) => {
                self.dataset.read_f32().map_err(|problem| fail(problem.to_string()))?
            }
            Place::Elsewhere(Precision::Double) => {
                let values = self.dataset.read_f64().map_err(|problem| fail(problem.to_string()))?;
                values.into_iter().map(|value| value as f32).collect()
            }
        };
        if values.len() != len {
            return Err(fail(format!("{len} values were expected, {} are stored", values.len())));
        }
        Ok(values)
    }

    fn load_parts(&self, len: usize, part_len: usize, visit: &mut Visit<'_>) -> Result<()> {
        let Place::OnePiece { address } = self.place else {
            return self.load(len)?.chunks(part_len).try_for_each(visit);
        };
        let mut values = vec![0f32; part_len.min(len)];
        (0..len).step_by(part_len).try_for_each(|first| {
            let part = &mut values[..part_len.min(len - first)];
            self.read(address + 4 * first as u64, part)?;
            visit(part)
        })
    }

    fn origin(&self) -> String {
        self.hdf5.origin.clone()
    }
}
