//! Bringing a file to the disk while it is being written.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::lock::check_in_place;

/// How often what was written is brought to the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// A thread that brings to the disk what was written, so that computing never waits for it.
#[derive(Debug)]
pub(super) struct Syncer {
    written: Arc<AtomicBool>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Syncer {
    /// The thread for `file`, which `path` leads to; where it no longer does, that is an error too. So is a system that
    /// starts no thread.
    pub fn start(file: Arc<File>, path: PathBuf) -> io::Result<Syncer> {
        let written = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = bounded(0);
        let thread = thread::Builder::new().spawn({
            let written = written.clone();
            move || {
                while stopped.recv_timeout(SYNC_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if written.swap(false, Ordering::AcqRel) {
                        file.sync_data()?;
                        check_in_place(&file, &path)?;
                    }
                }
                Ok(())
            }
        })?;
        Ok(Syncer { written, stop: Some(stop), thread: Some(thread) })
    }

    /// Something was written.
    pub fn mark(&self) {
        self.written.store(true, Ordering::Release);
    }

    /// Whether something was written that the thread has not yet begun to bring to the disk.
    pub fn is_behind(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// The error that ended the thread, if one did.
    pub fn check(&mut self) -> io::Result<()> {
        let failed = self.thread.take_if(|thread| thread.is_finished());
        match failed.map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(error),
            _ if self.thread.is_none() => Err(io::Error::other("an earlier write failed")),
            _ => Ok(()),
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
