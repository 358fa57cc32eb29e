//! Where the values of a dataset are, and whether all of them are there.
//!
//! For what was never written HDF5 prescribes a fill value, which is zero where nobody set one: a network that runs and
//! is wrong. And `hdf5-pure` allocates what a dataset declares. So nothing is read before it passed here.

use std::collections::HashSet;
use std::result::Result;

use hdf5_pure::{ChunkIndex, Dataset, Datatype, DatatypeByteOrder, Layout, make_f32_type, make_f64_type};

/// HDF5's numbers of the filters that can be undone: gzip, shuffle, Fletcher's checksum, LZF.
const FILTERS: [u16; 4] = [1, 2, 3, 32000];

/// The ways to find chunks whose size is bounded by the dataset's. `hdf5-pure` 0.47 follows a damaged header of the others
/// until no memory is left; only HDF5 1.10 and later write them, and only when asked to.
const INDICES: [ChunkIndex; 3] = [ChunkIndex::BTreeV1, ChunkIndex::SingleChunk, ChunkIndex::Implicit];

/// What a byte of gzip can become: 258 bytes for two bits. LZF makes less of it.
const MAX_EXPANSION: u64 = 1032;

/// What a chunk takes at least in a file: an address, and some bytes there.
const MIN_CHUNK_BYTES: u64 = 16;

/// A precision that can be read, in either byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    Single,
    Double,
}

/// Where values are.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// f32 as they are in memory, in one piece that lies within the file.
    OnePiece { address: u64 },
    /// In chunks, in the header, or in another type: `hdf5-pure` reads them.
    Elsewhere(Precision),
}

/// The place of the values of `dataset`, which fill `shape`, in a file of `file_bytes`; or why they cannot be read.
pub fn place(dataset: &Dataset, shape: &[u64], file_bytes: u64) -> Result<Place, String> {
    let datatype = dataset.datatype().map_err(|problem| problem.to_string())?;
    let precision = precision(&datatype)?;
    let value_bytes = if precision == Precision::Single { 4 } else { 8 };
    let bytes = shape.iter().try_fold(value_bytes, |product: u64, &dim| product.checked_mul(dim));
    let bytes = bytes.ok_or_else(|| format!("its shape is {shape:?}, which no file can fill"))?;
    let of_size = |size: u64| {
        let problem = || format!("{bytes} bytes were expected for its shape {shape:?}, {size} are declared");
        if size == bytes { Ok(()) } else { Err(problem()) }
    };
    match dataset.layout().map_err(|problem| problem.to_string())? {
        Layout::Contiguous { address: None, .. } => Err("it was never written, or is in another file".into()),
        Layout::Contiguous { address: Some(address), size } => {
            of_size(size)?;
            within(file_bytes, address, size)?;
            let as_in_memory = datatype == make_f32_type() && cfg!(target_endian = "little");
            Ok(if as_in_memory { Place::OnePiece { address } } else { Place::Elsewhere(precision) })
        }
        Layout::Compact { size } => of_size(size).map(|()| Place::Elsewhere(precision)),
        Layout::Chunked { index, .. } if !INDICES.contains(&index) => Err(format!(
            "its chunks are found by a {index:?}, which is not supported: save it again, with h5py without `libver`"
        )),
        Layout::Chunked { chunk_shape, .. } => {
            let grid = Grid::new(shape, &chunk_shape)?;
            grid.fits(bytes, file_bytes)?;
            all_written(dataset, &grid, value_bytes, file_bytes)?;
            Ok(Place::Elsewhere(precision))
        }
        _ => Err("its values are in other datasets, which is not supported".into()),
    }
}

/// An IEEE type's; other floats of the same size are other numbers.
fn precision(datatype: &Datatype) -> Result<Precision, String> {
    let mut little_endian = datatype.clone();
    if let Datatype::FloatingPoint { byte_order: order @ DatatypeByteOrder::BigEndian, .. } = &mut little_endian {
        *order = DatatypeByteOrder::LittleEndian;
    }
    if little_endian == make_f32_type() {
        Ok(Precision::Single)
    } else if little_endian == make_f64_type() {
        Ok(Precision::Double)
    } else {
        Err(format!("its type is {datatype}; float32 and float64 can be read: save it as float32"))
    }
}

fn within(file_bytes: u64, address: u64, size: u64) -> Result<(), String> {
    let inside = address.checked_add(size).is_some_and(|end| end <= file_bytes);
    let problem = || format!("{size} bytes at {address} lie outside of the {file_bytes} of the file: copy it again");
    if inside { Ok(()) } else { Err(problem()) }
}

/// How a dataset is cut into chunks.
struct Grid<'a> {
    shape: &'a [u64],
    chunk: &'a [u64],
    /// How many chunks there are.
    count: u64,
}

impl Grid<'_> {
    fn new<'a>(shape: &'a [u64], chunk: &'a [u64]) -> Result<Grid<'a>, String> {
        let fits = |(&chunk, &dim): (&u64, &u64)| chunk > 0 && chunk <= dim;
        if chunk.len() != shape.len() || !chunk.iter().zip(shape).all(fits) {
            return Err(format!("its chunks {chunk:?} are larger than its shape {shape:?}: save it again"));
        }
        // No more than its values, whose number was found to be one.
        let count = shape.iter().zip(chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).product();
        Ok(Grid { shape, chunk, count })
    }

    /// Refuses what cannot be in the file, whose declared size would be allocated.
    fn fits(&self, bytes: u64, file_bytes: u64) -> Result<(), String> {
        if self.count > file_bytes / MIN_CHUNK_BYTES || bytes / MAX_EXPANSION > file_bytes {
            let (count, chunk) = (self.count, self.chunk);
            return Err(format!(
                "{bytes} bytes in {count} chunks of {chunk:?} cannot be in a file of {file_bytes}: copy or save it again"
            ));
        }
        Ok(())
    }

    fn has(&self, offset: &[u64]) -> bool {
        let mut dims = offset.iter().zip(self.chunk.iter().zip(self.shape));
        offset.len() == self.shape.len() && dims.all(|(&at, (&chunk, &dim))| at % chunk == 0 && at < dim)
    }
}

/// Whether every chunk is in the file. The index is read, the values are not.
fn all_written(dataset: &Dataset, grid: &Grid, value_bytes: u64, file_bytes: u64) -> Result<(), String> {
    let filters = dataset.filter_pipeline();
    if let Some(filter) = filters.iter().find(|filter| !FILTERS.contains(&filter.id)) {
        let name = filter.name.as_deref().unwrap_or("unnamed");
        return Err(format!(
            "it is packed with HDF5's filter {} ({name}); gzip, shuffle, fletcher32 and lzf can be read: save it again",
            filter.id
        ));
    }
    let chunks =
        dataset.chunks().map_err(|problem| format!("its chunks cannot be found ({problem}): save it again"))?;
    let chunk_bytes = grid.chunk.iter().product::<u64>() * value_bytes;
    let mut written = HashSet::new();
    for chunk in chunks.iter().filter(|chunk| grid.has(&chunk.offset)) {
        within(file_bytes, chunk.address, chunk.storage_size)?;
        if filters.is_empty() && chunk.storage_size != chunk_bytes {
            let (offset, stored) = (&chunk.offset, chunk.storage_size);
            return Err(format!("its chunk at {offset:?} has {stored} of {chunk_bytes} bytes: copy or save it again"));
        }
        written.insert(&chunk.offset);
    }
    match (grid.count - written.len() as u64, grid.count) {
        (0, _) => Ok(()),
        (missing, count) => {
            Err(format!("{missing} of {count} chunks were never written: copy the file or save it again"))
        }
    }
}
