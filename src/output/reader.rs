//! Reads `features.pkl` back, entry by entry, as this crate, or Python with NumPy, wrote it. Nothing of the file is ever
//! executed, and memory does not grow with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::unpickler::{Array, Data, Source, Span, Unpickler, invalid};
use crate::{Error, Result};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Reads a features file: a pickle, of protocol 2 to 5, of a dict of `str` to little-endian float32 arrays in C order.
/// Anything else is refused, with the byte where it is found.
///
/// ```
/// # fn main() -> vgg_wgpu::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("features.pkl");
/// # let mut writer = vgg_wgpu::output::FeaturesWriter::create(&path, &[1, 2], false)?;
/// # writer.write("photo", &[0.5, 1.0])?;
/// # writer.finish()?;
/// let mut reader = vgg_wgpu::output::FeaturesReader::open(&path)?;
/// while let Some(entry) = reader.next_entry()? {
///     let values = reader.values(&entry)?;
///     assert_eq!((entry.key.as_str(), entry.shape(), values), ("photo", &[1, 2][..], vec![0.5, 1.0]));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FeaturesReader {
    path: PathBuf,
    unpickler: Unpickler,
}

/// An entry of the dict. Its values are still in the file.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key of the dict.
    pub key: String,
    array: Arc<Array>,
}

impl Entry {
    /// The array's shape. The file has room for its values: it can be allocated.
    pub fn shape(&self) -> &[usize] {
        &self.array.shape
    }
}

impl FeaturesReader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`], as of all methods: where the system refuses, or the content is not what it must be.
    pub fn open(path: &Path) -> Result<FeaturesReader> {
        let open = || {
            // Asked before opening, because opening a named pipe waits for its writer.
            if !fs::metadata(path)?.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
            }
            Unpickler::new(Source::new(File::open(path)?)?)
        };
        let unpickler = open().map_err(cannot_read(path))?;
        Ok(FeaturesReader { path: path.to_owned(), unpickler })
    }

    /// The file's size in bytes.
    pub fn file_bytes(&mut self) -> u64 {
        self.unpickler.source().len()
    }

    /// The next entry in the file's order, and nothing after the last. The file is whole and well-formed only where this
    /// comes to nothing; an error is the last answer. As in any pickled dict, of entries with one key the last counts.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let pair = self.unpickler.next_pair().map_err(cannot_read(&self.path))?;
        Ok(pair.map(|(key, array)| Entry { key, array }))
    }

    /// The values of an entry of this reader, in C order.
    pub fn values(&mut self, entry: &Entry) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        self.visit_values(entry, |chunk| values.extend_from_slice(chunk))?;
        Ok(values)
    }

    /// The values of an entry of this reader, in C order, a part at a time: no array is too large.
    pub fn visit_values(&mut self, entry: &Entry, mut visit: impl FnMut(&[f32])) -> Result<()> {
        let mut decoder = Decoder::default();
        let mut bytes = [0; CHUNK];
        let (Data::Raw(mut span) | Data::Latin1(mut span)) = entry.array.data;
        let start = span.at;
        while span.len > 0 {
            let chunk = &mut bytes[..span.len.min(CHUNK as u64) as usize];
            self.unpickler.source().read_at(span.at, chunk).map_err(cannot_read(&self.path))?;
            match entry.array.data {
                Data::Raw(_) => decoder.pending.extend_from_slice(chunk),
                Data::Latin1(_) => decoder.push_latin1(chunk),
            }
            visit(decoder.take_values());
            span = Span { at: span.at + chunk.len() as u64, len: span.len - chunk.len() as u64 };
        }
        if decoder.is_at_end() && decoder.count == entry.shape().iter().product::<usize>() {
            return Ok(());
        }
        let problem = format!("the values of {:?} do not fill its shape {:?}", entry.key, entry.shape());
        Err(cannot_read(&self.path)(invalid(start, problem)))
    }
}

fn cannot_read(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io("read the features", path)
}

/// Turns bytes that come in parts into values.
#[derive(Default)]
struct Decoder {
    pending: Vec<u8>,
    values: Vec<f32>,
    /// Values so far.
    count: usize,
    /// The first byte of a character whose second is still to come.
    lead: Option<u8>,
    invalid: bool,
}

impl Decoder {
    /// UTF-8 of characters up to U+00FF: one byte below 0x80, or two, of which the first is 0xC2 or 0xC3.
    fn push_latin1(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match (self.lead.take(), byte) {
                (None, ..=0x7F) => self.pending.push(byte),
                (None, 0xC2 | 0xC3) => self.lead = Some(byte),
                (Some(lead), 0x80..=0xBF) => self.pending.push(lead << 6 | byte & 0x3F),
                _ => self.invalid = true,
            }
        }
    }

    /// The values that are complete.
    fn take_values(&mut self) -> &[f32] {
        let (complete, _) = self.pending.as_chunks();
        self.values.clear();
        self.values.extend(complete.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        self.pending.drain(..size_of_val(&self.values[..]));
        self.count += self.values.len();
        &self.values
    }

    /// Whether nothing is left over.
    fn is_at_end(&self) -> bool {
        self.pending.is_empty() && self.lead.is_none() && !self.invalid
    }
}
