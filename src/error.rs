//! What can go wrong, and which exit code each kind of failure has.

use std::any::Any;
use std::io;
use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure that ends a call. A broken image is not among them: it costs that image only, and
/// [`crate::images::ImageError`] describes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something: `doing` reads like "read the weights".
    #[error("cannot {doing}: {path}: {source}", path = path.display())]
    Io {
        /// What was attempted, as the object of "cannot".
        doing: String,
        /// The file or folder concerned.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },

    /// The request does not fit together: an unknown layer name, two images with one key, an output that exists.
    #[error("{0}")]
    Usage(String),

    /// An architecture or weights file that is malformed, unsupported, or does not fit its counterpart.
    #[error("{origin}: {problem}")]
    Model {
        /// The file the model came from, or a description of where it was made.
        origin: String,
        /// What was expected, what was found, and what to do about it.
        problem: String,
    },

    /// No usable GPU adapter, or a device that was lost or ran out of memory.
    #[error("{0}")]
    Device(String),

    /// The operating system refused to start a thread.
    #[error(
        "cannot start a thread to {purpose}: {source}. Ask for fewer with --threads, or allow more memory or processes"
    )]
    Thread {
        /// What it was to do, as in "to decode images".
        purpose: &'static str,
        /// The system's own error.
        source: io::Error,
    },

    /// The caller asked to stop, and the work was not complete.
    #[error("stopped before the end")]
    Stopped,

    /// More images failed than the caller allows.
    #[error("{failed} images failed, and {allowed} may; the last was {last}")]
    TooManyFailures {
        /// Images that failed, up to the one that was one too many.
        failed: usize,
        /// How many may fail.
        allowed: usize,
        /// The last one, and why.
        last: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `doing` on `path`, made to be used in `map_err`.
    pub fn io(doing: impl Into<String>, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let (doing, path) = (doing.into(), path.into());
        move |source| Error::Io { doing, path, source }
    }

    /// An [`Error::Model`] about `origin`.
    pub fn model(origin: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Model { origin: origin.into(), problem: problem.into() }
    }
}

/// What somebody else's code said when it panicked.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}
