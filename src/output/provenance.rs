//! `features.provenance.jsonl`: what an output was made from, and when, and on what.
//!
//! The first line is the run ([`Run`]), then one line an image ([`ImageLine`]) in the output's order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::identity::{Digest, Identity};
use crate::Executor;
use crate::images::{Dataset, Stamp};

/// No line is longer: a path has at most some thousand characters, and each run that computed something takes 150.
pub const MAX_LINE_BYTES: u64 = 1 << 20;

/// The run that finished an output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The folder of images.
    pub folder: String,
    /// What the features are features of.
    #[serde(flatten)]
    pub identity: Identity,
    /// Who computed them: one, or more where runs were interrupted or the output was brought up to date.
    pub sessions: Vec<Session>,
    /// Images in the output.
    pub images: usize,
    /// Of these, the ones that this run computed.
    pub computed: usize,
    /// Images that could not be used.
    pub failed: usize,
    /// How long this run computed.
    pub seconds: f64,
    /// When it finished, in UTC.
    pub finished: String,
    /// The output's content.
    pub output: Digest,
}

/// A process that computed features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The version of this program.
    pub version: String,
    /// The device that it began with.
    pub device: String,
    /// The largest batch.
    pub batch: usize,
    /// When it began, in UTC.
    pub started: String,
}

/// An image of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLine {
    /// Its key in the output.
    pub key: String,
    /// Its path below the folder.
    pub path: String,
    /// The version of its file that was read.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Session {
    /// A session of this program that begins now.
    pub fn now(executor: &dyn Executor) -> Session {
        Session {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: executor.device(),
            batch: executor.max_batch(),
            started: now(),
        }
    }
}

impl ImageLine {
    /// The place of this image in a dataset: of the file of the same path, under the same key.
    pub fn position(&self, dataset: &Dataset) -> Option<usize> {
        let position = dataset.position(&self.key)?;
        (dataset.relative(&dataset.images[position].path) == self.path).then_some(position)
    }
}

/// The time in UTC, as RFC 3339 has it.
pub fn now() -> String {
    // The crate panics before 1970, where the clock of a board without a battery may be.
    let now = std::time::SystemTime::now().max(std::time::UNIX_EPOCH);
    humantime::format_rfc3339_millis(now).to_string()
}

/// Writes one object as a line.
pub(crate) fn write_line(out: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Reads a provenance file line by line.
#[derive(Debug)]
pub struct ProvenanceReader {
    lines: BufReader<File>,
    line: Vec<u8>,
}

impl ProvenanceReader {
    /// Opens a file and reads its first line.
    pub fn open(path: &Path) -> io::Result<(Run, ProvenanceReader)> {
        let mut reader = ProvenanceReader { lines: BufReader::new(File::open(path)?), line: Vec::new() };
        Ok((reader.next()?.ok_or(io::ErrorKind::UnexpectedEof)?, reader))
    }

    /// The next image, and nothing after the last.
    pub fn next_image(&mut self) -> io::Result<Option<ImageLine>> {
        self.next()
    }

    fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        self.line.clear();
        self.lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&self.line)?)) }
    }
}
