//! The records of a [`super::journal`], as bytes.
//!
//! | bytes | |
//! |---|---|
//! | 4 | the length of the body, little-endian |
//! | 4 | the CRC-32 of the body, little-endian |
//! | length | the body: a JSON object ([`Record`]), a newline, and where it is an image its features, little-endian float32 |

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::identity::{Digest, Identity};
use super::provenance::{ImageLine, Session};

/// Length and checksum.
const HEAD_BYTES: u64 = 8;

/// The JSON of a record is never longer: a path has at most some thousand characters.
const MAX_JSON_BYTES: usize = 1 << 20;

/// The JSON part of a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub(super) enum Record {
    Identity(Identity),
    Session(Session),
    Image(ImageLine),
    /// An output that is about to take its name, made of the records before.
    Finished(Digest),
}

/// A whole record, head and body.
pub(super) fn encode(out: &mut Vec<u8>, record: &Record, features: &[f32]) -> io::Result<()> {
    out.clear();
    out.extend([0; HEAD_BYTES as usize]);
    serde_json::to_writer(&mut *out, record)?;
    out.push(b'\n');
    out.extend(features.iter().flat_map(|value| value.to_le_bytes()));
    let (head, body) = out.split_at_mut(HEAD_BYTES as usize);
    let len = u32::try_from(body.len()).map_err(|_| io::Error::other("the features of an image exceed 4 GiB"))?;
    head[..4].copy_from_slice(&len.to_le_bytes());
    head[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    Ok(())
}

/// The record in a body, where its data is what the record's kind has.
pub(super) fn parse(body: &[u8], values: usize) -> Option<Record> {
    let newline = body.iter().position(|&byte| byte == b'\n')?;
    let (json, data) = (&body[..newline], &body[newline + 1..]);
    let record = serde_json::from_slice(json).ok()?;
    let expected = if matches!(record, Record::Image(_)) { values * size_of::<f32>() } else { 0 };
    (data.len() == expected).then_some(record)
}

/// Reads records one after another.
pub(super) struct RecordReader<'a> {
    file: BufReader<&'a File>,
    pub at: u64,
    end: u64,
}

impl<'a> RecordReader<'a> {
    /// A reader of all records from `at` to `end`.
    pub fn new(file: &'a File, at: u64, end: u64) -> io::Result<RecordReader<'a>> {
        RecordReader::with_buffer(1 << 16, file, at, end)
    }

    /// A reader of the one record at `at`: nothing behind it is read.
    pub fn of_one(file: &'a File, at: u64, end: u64) -> io::Result<RecordReader<'a>> {
        RecordReader::with_buffer(HEAD_BYTES as usize, file, at, end)
    }

    fn with_buffer(bytes: usize, mut file: &'a File, at: u64, end: u64) -> io::Result<RecordReader<'a>> {
        file.seek(SeekFrom::Start(at))?;
        Ok(RecordReader { file: BufReader::with_capacity(bytes, file), at, end })
    }

    /// Reads the next body, with at most so many values of features; `false` where there is no whole one. `at` is then
    /// behind it.
    pub fn next(&mut self, body: &mut Vec<u8>, values: usize) -> io::Result<bool> {
        let left = self.end.saturating_sub(self.at);
        if left < HEAD_BYTES {
            return Ok(false);
        }
        let mut head = [[0; 4]; 2];
        self.file.read_exact(head.as_flattened_mut())?;
        let [len, crc] = head.map(u32::from_le_bytes);
        let largest = (MAX_JSON_BYTES + values * size_of::<f32>()) as u64;
        // A tail of zeros, as a power loss may leave it, has length 0 and the checksum of nothing.
        if len == 0 || u64::from(len) > largest.min(left - HEAD_BYTES) {
            return Ok(false);
        }
        body.resize(len as usize, 0);
        self.file.read_exact(body)?;
        if crc32fast::hash(body) != crc {
            return Ok(false);
        }
        self.at += HEAD_BYTES + u64::from(len);
        Ok(true)
    }
}
