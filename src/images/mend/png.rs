//! PNG: as many rows as can be inflated.

use std::io::{self, Read, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress};

use crate::images::{ImageError, check_size};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";

/// First column and row of the pixels of each pass of an interlaced image, and the distances between them.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

pub fn mend(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    let damaged = |what: &str| ImageError::Damaged(format!("{what}, and no pixels before that"));
    let mut chunks = Chunks(bytes.get(SIGNATURE.len()..).unwrap_or_default());
    let mut mended = SIGNATURE.to_vec();
    let mut lengths = None;
    let data = loop {
        let chunk = chunks.next().ok_or_else(|| damaged("its headers are truncated"))?;
        match &chunk.kind {
            b"IDAT" => break chunk.data,
            b"IHDR" | b"PLTE" if !chunk.is_intact() => return Err(damaged("its headers are damaged")),
            b"IHDR" => lengths = Some(row_lengths(chunk.data)?),
            b"PLTE" => {}
            // An upper-case letter means that the image cannot be understood without it.
            kind if kind[0].is_ascii_uppercase() => return Err(damaged("its chunks are damaged")),
            _ => continue,
        }
        write_chunk(&mut mended, &chunk.kind, chunk.data)?;
    };
    let lengths = lengths.ok_or_else(|| damaged("its first header is missing"))?;
    let more = chunks.take_while(|chunk| &chunk.kind == b"IDAT").map(|chunk| chunk.data);
    let data: Vec<&[u8]> = [data].into_iter().chain(more).collect();
    let rows = whole_rows(inflate(&data.concat(), lengths.iter().sum()), &lengths);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&rows)?;
    let missing = lengths.iter().sum::<usize>() - rows.len();
    io::copy(&mut io::repeat(0).take(missing as u64), &mut encoder)?;
    write_chunk(&mut mended, b"IDAT", &encoder.finish()?)?;
    write_chunk(&mut mended, b"IEND", &[])?;
    Ok(mended)
}

struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// None where the file ends before it.
    checksum: Option<u32>,
}

impl Chunk<'_> {
    fn is_intact(&self) -> bool {
        self.checksum == Some(checksum(&self.kind, self.data))
    }
}

/// The chunks of a file, of which the last may be cut.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (&kind, rest) = rest.split_first_chunk()?;
        let (data, rest) = rest.split_at(rest.len().min(u32::from_be_bytes(*length) as usize));
        let (checksum, rest) = rest.split_first_chunk().map_or((None, &[][..]), |(sum, rest)| (Some(*sum), rest));
        self.0 = rest;
        Some(Chunk { kind, data, checksum: checksum.map(u32::from_be_bytes) })
    }
}

fn checksum(kind: &[u8; 4], data: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(kind);
    hasher.update(data);
    hasher.finalize()
}

fn write_chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) -> io::Result<()> {
    file.write_all(&(data.len() as u32).to_be_bytes())?;
    file.write_all(kind)?;
    file.write_all(data)?;
    file.write_all(&checksum(kind, data).to_be_bytes())
}

/// The bytes of each row in order, pass by pass where the image is interlaced, its filter's byte included.
fn row_lengths(header: &[u8]) -> Result<Vec<usize>, ImageError> {
    let damaged = || ImageError::Damaged("its first header makes no sense".to_owned());
    let &[w0, w1, w2, w3, h0, h1, h2, h3, depth, color, _, _, interlace] = header else { return Err(damaged()) };
    let [width, height] = [[w0, w1, w2, w3], [h0, h1, h2, h3]].map(|side| u32::from_be_bytes(side) as usize);
    check_size(width, height)?;
    let channels = match color {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        6 => 4,
        _ => return Err(damaged()),
    };
    let passes: &[[usize; 4]] = if interlace == 0 { &[[0, 0, 1, 1]] } else { &PASSES };
    let rows = passes.iter().flat_map(|&[x, y, step_x, step_y]| {
        let count = |side: usize, first: usize, step: usize| side.saturating_sub(first).div_ceil(step);
        let (columns, rows) = (count(width, x, step_x), count(height, y, step_y));
        let length = 1 + (columns * channels * usize::from(depth)).div_ceil(8);
        std::iter::repeat_n(length, if columns == 0 { 0 } else { rows })
    });
    Ok(rows.collect())
}

/// What a zlib stream gives before it ends or turns out to be damaged.
struct Inflated {
    bytes: Vec<u8>,
    is_damaged: bool,
}

/// As much of `length` bytes as there is.
fn inflate(data: &[u8], length: usize) -> Inflated {
    /// Bytes at once, until the damage is near.
    const BLOCK: usize = 4096;
    /// The most that one byte can become.
    const MAX_RATIO: usize = 1032;
    let mut careful_from = data.len();
    loop {
        let mut inflater = Decompress::new(true);
        let mut output = vec![0; length.min(data.len().saturating_mul(MAX_RATIO))];
        let is_damaged = loop {
            let (at, written) = (inflater.total_in() as usize, inflater.total_out() as usize);
            let block = if at < careful_from { BLOCK } else { 1 };
            let input = &data[at..data.len().min(at + block)];
            let result = inflater.decompress(input, &mut output[written..], FlushDecompress::None);
            let stands = (inflater.total_in() as usize, inflater.total_out() as usize) == (at, written);
            match result {
                // What comes right before the damage is lost with the block that has it.
                Err(_) if block > 1 => {
                    careful_from = at;
                    break None;
                }
                Err(_) => break Some(true),
                Ok(_) if stands => break Some(false),
                Ok(_) => {}
            }
        };
        if let Some(is_damaged) = is_damaged {
            output.truncate(inflater.total_out() as usize);
            return Inflated { bytes: output, is_damaged };
        }
    }
}

/// The rows up to the first that is not whole, or whose filter does not exist. zlib looks beyond the end of what it is asked for,
/// and Pillow does not get a row behind which there is damage.
fn whole_rows(inflated: Inflated, lengths: &[usize]) -> Vec<u8> {
    const FILTERS: u8 = 5;
    let Inflated { bytes: mut rows, is_damaged } = inflated;
    let available = rows.len() - usize::from(is_damaged && !rows.is_empty());
    let mut end = 0;
    for &length in lengths {
        if end + length > available || rows[end] >= FILTERS {
            break;
        }
        end += length;
    }
    rows.truncate(end);
    rows
}
