//! One process for a journal, and one journal for a name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::{Error, Result};

/// Opens the file at `path` and locks it against other processes.
pub(super) fn lock(path: &Path) -> Result<File> {
    let busy = |problem: &str| Error::io("write", path)(io::Error::new(io::ErrorKind::ResourceBusy, problem));
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::Usage(format!("{} exists and is not a regular file", path.display())));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).map_err(Error::io("open the journal", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(busy("another process is computing this output; wait for it, or choose another with -o"));
        }
        // A file system without locks: what remains is to trust that there is one process.
        Err(TryLockError::Error(error)) if is_without_locks(&error) => {}
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
    }
    // Between the two steps the process that held it may have finished and deleted it.
    match check_in_place(&file, path) {
        Ok(()) => Ok(file),
        Err(_) => Err(busy("another process has just finished this output; run the command again")),
    }
}

fn is_without_locks(error: &io::Error) -> bool {
    // What NFS gives where the server's lock daemon does not run.
    #[cfg(unix)]
    let no_daemon = error.raw_os_error() == Some(libc::ENOLCK);
    #[cfg(not(unix))]
    let no_daemon = false;
    no_daemon || error.kind() == io::ErrorKind::Unsupported
}

/// An error where `path` leads to `file` no longer. What is written to a file whose disk was unmounted by force may succeed
/// and be lost.
pub(super) fn check_in_place(file: &File, path: &Path) -> io::Result<()> {
    let same = same_file::Handle::from_path(path)
        .and_then(|named| Ok(named == same_file::Handle::from_file(file.try_clone()?)?));
    let reason = match same {
        Ok(true) => return Ok(()),
        Ok(false) => "another file has its name".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(io::Error::other(format!("it was moved or deleted, or its disk is gone ({reason})")))
}
