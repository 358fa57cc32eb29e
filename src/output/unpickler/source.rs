//! The file under the machine.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read};

/// Bytes of the file, known to lie within it.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub at: u64,
    pub len: u64,
}

/// A file that is read from anywhere, mostly forwards. Seeks within the buffer cost no system call.
#[derive(Debug)]
pub struct Source {
    file: BufReader<File>,
    at: u64,
    len: u64,
}

impl Source {
    pub fn new(file: File) -> io::Result<Source> {
        let len = file.metadata()?.len();
        Ok(Source { file: BufReader::with_capacity(1 << 13, file), at: 0, len })
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` with the file's bytes from `at` on.
    pub fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(Span { at, len: buffer.len() as u64 })?;
        // Both are at most the length of a file, which is an i64.
        self.file.seek_relative(at as i64 - self.at as i64)?;
        self.at = at;
        self.file.read_exact(buffer)?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    /// The span itself, or an error where it ends behind the file.
    pub fn check(&self, span: Span) -> io::Result<Span> {
        let Span { at, len } = span;
        if at.checked_add(len).is_some_and(|end| end <= self.len) {
            return Ok(span);
        }
        Err(invalid(
            at,
            format!(
                "{len} bytes are expected here, and the file ends after {}: it is truncated or damaged; \
                 copy it again, or make it again",
                self.len.saturating_sub(at)
            ),
        ))
    }
}

/// What is wrong, and where.
pub fn invalid(at: u64, problem: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("byte {at}: {problem}"))
}
