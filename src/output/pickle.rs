//! `features.pkl`: a Python pickle of `dict[str, numpy.ndarray]`, written one image at a time.
//!
//! The pickle is a prologue of fixed size, one record per image, and a STOP. The prologue leaves the empty dict on the
//! unpickler's stack and puts what all arrays share into its memo; a record adds one key and its array to the dict and
//! leaves the stack as it found it. A file that ends after any record is therefore a valid pickle once `.` is appended.
//!
//! The protocol is 4. Arrays are rebuilt the way NumPy's own `ndarray.__reduce__`
//! asks for. Its module is called `numpy.core.multiarray`, not NumPy 2's `numpy._core.multiarray`: the old name loads in
//! NumPy 1 too, and is the one name under `numpy.core` that NumPy 2 leaves free of a deprecation warning.

use super::identity::Digest;
use super::opcode::*;
use crate::{Error, Result, temporary_file};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, PersistError};

/// What every array shares, by its place in the unpickler's memo: MEMOIZE numbers from 0, in the prologue's order.
#[derive(Clone, Copy)]
enum Shared {
    Reconstruct,
    EmptyArray,
    Shape,
    Dtype,
}

/// Writes `features.pkl`: a dict of `str` to little-endian float32 arrays in C order, all of one shape, in the order of
/// the calls to [`write`](FeaturesWriter::write). Memory does not grow with their number.
///
/// Everything goes to a temporary file in the output's folder, which takes the output's name in
/// [`finish`](FeaturesWriter::finish). A writer that is dropped before removes it and leaves the folder as it was.
#[derive(Debug)]
pub struct FeaturesWriter {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    overwrite: bool,
    values_per_array: usize,
    record: Vec<u8>,
    written: blake3::Hasher,
    failed: bool,
}

impl FeaturesWriter {
    /// Starts an output at `path` for arrays of `shape`, the leading 1 included: `[1, 4096]`.
    ///
    /// # Errors
    /// [`Error::Usage`] where `path` exists and `overwrite` is not set, or is no regular file; [`Error::Io`] where its
    /// folder cannot be written.
    pub fn create(path: &Path, shape: &[usize], overwrite: bool) -> Result<FeaturesWriter> {
        let values_per_array = shape
            .iter()
            .try_fold(1usize, |product, &dim| product.checked_mul(dim))
            .filter(|&len| len <= isize::MAX as usize / size_of::<f32>())
            .ok_or_else(|| Error::Usage(format!("an array of shape {shape:?} does not fit in memory")))?;
        check_destination(path, overwrite)?;
        let file = temporary_file::beside(path).map_err(Error::io("create a file in the output's folder for", path))?;
        let mut writer = FeaturesWriter {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 18, file),
            overwrite,
            values_per_array,
            record: prologue(shape),
            written: blake3::Hasher::new(),
            failed: false,
        };
        writer.write_record()?;
        Ok(writer)
    }

    /// Adds the array of `key`, its values in C order. Keys must differ: as in any pickled dict, the last one wins.
    ///
    /// # Errors
    /// [`Error::Usage`] where `values` does not fill the shape; [`Error::Io`] where the file cannot be written, after
    /// which the output cannot be finished any more.
    pub fn write(&mut self, key: &str, values: &[f32]) -> Result<()> {
        if values.len() != self.values_per_array {
            return Err(Error::Usage(format!(
                "{}: the features of {key:?} have {} values, expected {}",
                self.path.display(),
                values.len(),
                self.values_per_array
            )));
        }
        self.record.clear();
        push_image(&mut self.record, key, values);
        self.write_record()
    }

    /// What the output will hold if nothing more is written.
    pub(super) fn digest(&self) -> Digest {
        Digest::finish(self.written.clone().update(&[STOP]))
    }

    /// Completes the pickle, waits until it is on the disk, gives it its name, and returns what it holds.
    ///
    /// # Errors
    /// [`Error::Usage`] where a file of that name has appeared since [`create`](FeaturesWriter::create) and `overwrite`
    /// is not set; [`Error::Io`] where the system refuses, or an earlier write failed. The old file is then untouched.
    pub fn finish(mut self) -> Result<Digest> {
        self.record.clear();
        self.record.push(STOP);
        self.write_record()?;
        let FeaturesWriter { path, file, overwrite, written, .. } = self;
        let file = file.into_inner().map_err(|e| e.into_error()).map_err(Error::io("write", &path))?;
        file.as_file().sync_all().map_err(Error::io("write to the disk", &path))?;
        let persisted = if overwrite { file.persist(&path) } else { put_where_nothing_is(file, &path) };
        match persisted {
            Ok(_) => {}
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => return Err(already_exists(&path)),
            Err(e) => return Err(Error::io("put the finished file at", path)(e.error)),
        }
        temporary_file::sync_folder(&path).map_err(Error::io("write to the disk the folder of", &path))?;
        Ok(Digest::finish(&written))
    }

    /// Writes `self.record`. After a failure it refuses for good: the file may then end within a record.
    fn write_record(&mut self) -> Result<()> {
        let result = if self.failed {
            Err(io::Error::other("an earlier write failed"))
        } else {
            self.file.write_all(&self.record)
        };
        self.failed = result.is_err();
        self.written.update(&self.record);
        result.map_err(Error::io("write", &self.path))
    }
}

/// Gives a file its name unless that is taken. A file system that cannot do both in one step does one after the other.
fn put_where_nothing_is(file: NamedTempFile, path: &Path) -> Result<fs::File, PersistError> {
    let is_free = || matches!(fs::symlink_metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound);
    file.persist_noclobber(path).or_else(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => Err(e),
        _ if is_free() => e.file.persist(path),
        _ => Err(e),
    })
}

/// Whether an output may be put at `path`, so that a run that must fail does so before it computes anything.
pub fn check_destination(path: &Path, overwrite: bool) -> Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(Error::io("look at the output", path))?,
    };
    // Renaming over /dev/null or a pipe would replace the device itself.
    if !metadata.is_file() && !metadata.is_symlink() {
        return Err(Error::Usage(format!("the output {} exists and is not a regular file", path.display())));
    }
    if overwrite { Ok(()) } else { Err(already_exists(path)) }
}

fn already_exists(path: &Path) -> Error {
    Error::Usage(format!(
        "the output {} exists already; pass --overwrite to replace it, or -o to write elsewhere",
        path.display()
    ))
}

/// The start of the pickle: the empty dict, and the memo with every [`Shared`] in its order.
fn prologue(shape: &[usize]) -> Vec<u8> {
    let mut out = vec![PROTO, 4, EMPTY_DICT];

    push_global(&mut out, "numpy.core.multiarray", "_reconstruct");
    out.extend([MEMOIZE, POP]);

    // The arguments of _reconstruct, an array still without size and type: (ndarray, (0,), b"b").
    push_global(&mut out, "numpy", "ndarray");
    push_shape(&mut out, &[0]);
    out.extend([SHORT_BINBYTES, 1, b'b', TUPLE3, MEMOIZE, POP]);

    push_shape(&mut out, shape);
    out.extend([MEMOIZE, POP]);

    push_float32_dtype(&mut out);
    out.extend([MEMOIZE, POP]);
    out
}

/// `numpy.dtype("<f4")` as `dtype.__reduce__` gives it: `dtype("f4", False, True)` with the state
/// `(3, "<", None, None, None, -1, -1, 0)`.
fn push_float32_dtype(out: &mut Vec<u8>) {
    push_global(out, "numpy", "dtype");
    push_short_str(out, "f4");
    out.extend([NEWFALSE, NEWTRUE, TUPLE3, REDUCE, MARK]);
    push_int(out, 3);
    push_short_str(out, "<");
    out.extend([NONE; 3]);
    for field in [-1, -1, 0] {
        push_int(out, field);
    }
    out.extend([TUPLE, BUILD]);
}

/// One record: the key, an array with `ndarray.__setstate__((1, shape, dtype, is_fortran = False, bytes))`, SETITEM.
fn push_image(out: &mut Vec<u8>, key: &str, values: &[f32]) {
    out.push(BINUNICODE8);
    out.extend((key.len() as u64).to_le_bytes());
    out.extend(key.as_bytes());

    push_shared(out, Shared::Reconstruct);
    push_shared(out, Shared::EmptyArray);
    out.extend([REDUCE, MARK]);
    push_int(out, 1);
    push_shared(out, Shared::Shape);
    push_shared(out, Shared::Dtype);
    out.extend([NEWFALSE, BINBYTES8]);
    out.extend((size_of_val(values) as u64).to_le_bytes());
    push_little_endian(out, values);
    out.extend([TUPLE, BUILD, SETITEM]);
}

fn push_little_endian(out: &mut Vec<u8>, values: &[f32]) {
    let start = out.len();
    out.resize(start + size_of_val(values), 0);
    let (bytes, _) = out[start..].as_chunks_mut();
    for (bytes, value) in bytes.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
}

fn push_shared(out: &mut Vec<u8>, shared: Shared) {
    out.extend([BINGET, shared as u8]);
}

fn push_global(out: &mut Vec<u8>, module: &str, name: &str) {
    out.push(GLOBAL);
    out.extend(format!("{module}\n{name}\n").as_bytes());
}

/// A str of at most 255 bytes: the constants of the prologue.
fn push_short_str(out: &mut Vec<u8>, text: &str) {
    out.extend([SHORT_BINUNICODE, text.len() as u8]);
    out.extend(text.as_bytes());
}

fn push_int(out: &mut Vec<u8>, value: i32) {
    out.push(BININT);
    out.extend(value.to_le_bytes());
}

/// A tuple of dimensions, each an integer of 8 bytes.
fn push_shape(out: &mut Vec<u8>, shape: &[usize]) {
    out.push(MARK);
    for &dim in shape {
        out.extend([LONG1, 8]);
        out.extend((dim as i64).to_le_bytes());
    }
    out.push(TUPLE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_pickle::{DeOptions, HashableValue, Value};
    use std::fs;

    /// The pickle as another implementation reads it: each array is the state of its BUILD.
    fn read(bytes: &[u8]) -> Vec<(String, Value)> {
        let options = DeOptions::new().replace_unresolved_globals();
        let Value::Dict(dict) = serde_pickle::value_from_slice(bytes, options).unwrap() else { panic!("not a dict") };
        dict.into_iter()
            .map(|(key, value)| match key {
                HashableValue::String(key) => (key, value),
                other => panic!("key {other:?}"),
            })
            .collect()
    }

    fn array_state(shape: &[i64], bytes: &[u8]) -> Value {
        let none = Value::None;
        let str = |text: &str| Value::String(text.into());
        let int = Value::I64;
        let dtype = Value::Tuple(vec![int(3), str("<"), none.clone(), none.clone(), none, int(-1), int(-1), int(0)]);
        let shape = Value::Tuple(shape.iter().map(|&dim| int(dim)).collect());
        Value::Tuple(vec![int(1), shape, dtype, Value::Bool(false), Value::Bytes(bytes.to_vec())])
    }

    fn files_in(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn holds_keys_shapes_and_little_endian_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.pkl");
        let long_key = "ключ".repeat(100);
        let mut writer = FeaturesWriter::create(&path, &[1, 2], false).unwrap();
        writer.write("a", &[1.0, -2.0]).unwrap();
        writer.write(&long_key, &[f32::NAN, 0.5]).unwrap();
        let digest = writer.finish().unwrap();

        let file = fs::read(&path).unwrap();
        assert_eq!(digest, Digest::of_file(&path).unwrap());
        assert_eq!(file.len() as u64, digest.bytes);
        let dict = read(&file);
        assert_eq!(dict.len(), 2);
        assert_eq!(dict[0], ("a".into(), array_state(&[1, 2], &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0])));
        assert_eq!(dict[1], (long_key, array_state(&[1, 2], &[0, 0, 0xc0, 0x7f, 0, 0, 0, 0x3f])));
    }

    #[test]
    fn without_images_the_dict_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.pkl");
        FeaturesWriter::create(&path, &[1, 2], false).unwrap().finish().unwrap();
        assert_eq!(read(&fs::read(&path).unwrap()), []);
    }

    #[test]
    fn a_dropped_writer_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.pkl");
        fs::write(&path, "old").unwrap();
        let mut writer = FeaturesWriter::create(&path, &[1], true).unwrap();
        writer.write("a", &[1.0]).unwrap();
        assert_eq!(files_in(folder.path()).len(), 2);
        drop(writer);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(files_in(folder.path()), ["features.pkl"]);
    }

    #[test]
    fn overwrites_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.pkl");
        fs::write(&path, "old").unwrap();
        let error = FeaturesWriter::create(&path, &[1], false).unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("--overwrite") && text.contains("features.pkl")));
        assert_eq!(files_in(folder.path()), ["features.pkl"]);

        FeaturesWriter::create(&path, &[1], true).unwrap().finish().unwrap();
        assert_eq!(read(&fs::read(&path).unwrap()), []);
    }

    #[test]
    fn does_not_replace_a_file_that_appeared_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.pkl");
        let writer = FeaturesWriter::create(&path, &[1], false).unwrap();
        fs::write(&path, "theirs").unwrap();
        let error = writer.finish().unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("--overwrite")), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(files_in(folder.path()), ["features.pkl"]);
    }

    #[test]
    fn refuses_a_folder_a_missing_folder_a_huge_shape_and_values_that_do_not_fill_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = FeaturesWriter::create(folder.path(), &[1], true).unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("not a regular file")), "{error}");

        let missing = folder.path().join("missing").join("features.pkl");
        let error = FeaturesWriter::create(&missing, &[1], true).unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if *path == missing), "{error}");

        let path = folder.path().join("features.pkl");
        assert!(matches!(FeaturesWriter::create(&path, &[usize::MAX, 2], true), Err(Error::Usage(_))));
        let mut writer = FeaturesWriter::create(&path, &[1, 2], true).unwrap();
        let error = writer.write("a", &[1.0]).unwrap_err();
        assert!(error.to_string().contains("have 1 values, expected 2"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_output_has_the_mode_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, ordinary) = (folder.path().join("features.pkl"), folder.path().join("ordinary"));
        FeaturesWriter::create(&path, &[1], false).unwrap().finish().unwrap();
        fs::write(&ordinary, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&ordinary));
    }
}
