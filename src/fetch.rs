//! Downloads of published weights, checked by their MD5.

use crate::{Error, Result, temporary_file};
use md5::{Digest, Md5};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One file to download.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Where it is published, `http://` or `https://`.
    pub url: &'a str,
    /// The file to write; its folder is made where it is missing.
    pub destination: &'a Path,
    /// The MD5 of the whole file, in hexadecimal.
    pub md5: &'a str,
    /// More bytes than this are refused.
    pub max_bytes: u64,
    /// The longest wait for the connection, and for each part of the answer.
    pub timeout: Duration,
    /// Another thread may set it: the call ends with the next part of the answer.
    pub stop: &'a AtomicBool,
}

/// What [`fetch`] found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The destination was there already, with the right MD5.
    AlreadyThere,
    /// The destination was not there, and is now.
    Downloaded,
    /// The destination had another MD5 and was downloaded again, as Keras's `get_file` does.
    Replaced,
}

/// Makes sure that the destination holds the file, downloading it where it does not.
///
/// The bytes go to a temporary file beside the destination, which takes its name once the MD5 is right. `progress` is
/// called with the bytes received and, where the server says it, their total.
///
/// # Errors
/// [`Error::Io`] that names URL and destination: no connection, a status that is not success, no answer within the
/// timeout, an answer that ends early, is too large or has another MD5, a folder that cannot be written. The
/// destination is then as it was, as it is with [`Error::Stopped`].
pub fn fetch(download: &Download, mut progress: impl FnMut(u64, Option<u64>)) -> Result<Fetched> {
    let path = download.destination;
    let fetched = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Fetched::Downloaded,
        file => {
            let found = file.and_then(|file| copy_with_md5(file, io::sink(), |_| Ok(())));
            let (_, found) = found.map_err(Error::io("read", path))?;
            if found.eq_ignore_ascii_case(download.md5) {
                return Ok(Fetched::AlreadyThere);
            }
            Fetched::Replaced
        }
    };
    match transfer(download, &mut progress) {
        Ok(()) => Ok(fetched),
        Err(_) if download.stop.load(Ordering::Relaxed) => Err(Error::Stopped),
        Err(error) => Err(Error::io(format!("download {} to", download.url), path)(error)),
    }
}

fn transfer(download: &Download, progress: &mut dyn FnMut(u64, Option<u64>)) -> io::Result<()> {
    let response = agent(download.timeout).get(download.url).call().map_err(ureq::Error::into_io)?;
    let total = response.body().content_length();
    let too_large = || io::Error::other(format!("larger than the {} bytes allowed", download.max_bytes));
    if total.is_some_and(|total| total > download.max_bytes) {
        return Err(too_large());
    }

    if let Some(folder) = download.destination.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = temporary_file::beside(download.destination)?;
    let body = response.into_body().into_reader();
    let mut so_far = 0;
    let copied = copy_with_md5(body, &mut file, |received| {
        so_far = received;
        progress(received, total);
        if received > download.max_bytes {
            Err(too_large())
        } else if download.stop.load(Ordering::Relaxed) {
            Err(io::Error::other("stopped"))
        } else {
            Ok(())
        }
    });
    let (received, found) = copied.map_err(|e| {
        let total = total.map_or(String::new(), |total| format!(" of {total}"));
        io::Error::new(e.kind(), format!("after {so_far}{total} bytes: {e}"))
    })?;
    if !found.eq_ignore_ascii_case(download.md5) {
        let expected = download.md5;
        return Err(io::Error::other(format!(
            "MD5 {found} of {received} bytes, expected {expected}; nothing was kept"
        )));
    }
    file.as_file().sync_all()?;
    file.persist(download.destination)?;
    Ok(())
}

fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_per_read(Some(timeout))
        .timeout_per_write(Some(timeout))
        // The MD5 and the length are those of the file, not of a compressed form of it.
        .accept_encoding(ureq::config::AutoHeaderValue::None)
        .build()
        .into()
}

/// Copies all of `from`, calling `check` with the number of bytes after each part; returns that number and their MD5.
fn copy_with_md5(
    mut from: impl Read,
    mut to: impl Write,
    mut check: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        let len = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        md5.update(&buffer[..len]);
        to.write_all(&buffer[..len])?;
        copied += len as u64;
        check(copied)?;
    }
    let hex = md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((copied, hex))
}
