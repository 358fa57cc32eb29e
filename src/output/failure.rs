//! Images that are not in the output, and why.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::images::ImageError;
use crate::images::dataset::SkipReason;

/// An image that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// Why it was left out, in words.
    pub reason: String,
}

/// The kinds of failures, as programs tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The operating system refused to read it.
    Unreadable,
    /// It has an image's name and the content of something else.
    NotAnImage,
    /// A kind of image that is not decoded here.
    Unsupported,
    /// Truncated or contradictory.
    Damaged,
    /// More bytes or pixels than the limit.
    TooLarge,
    /// Its decoder crashed, or took too long.
    Crashed,
    /// A name that cannot be a key.
    NameNotUnicode,
}

impl Failure {
    /// An image of the dataset that could not be decoded.
    pub fn new(path: &Path, error: &ImageError) -> Failure {
        let kind = match error {
            ImageError::Io(_) => FailureKind::Unreadable,
            ImageError::NotAnImage(_) => FailureKind::NotAnImage,
            ImageError::Unsupported(_) => FailureKind::Unsupported,
            ImageError::Damaged(_) => FailureKind::Damaged,
            ImageError::TooLarge(_) => FailureKind::TooLarge,
            ImageError::Crashed(_) => FailureKind::Crashed,
        };
        Failure { path: path.to_owned(), kind, reason: error.to_string() }
    }

    /// An entry of the folder that is lost; none for what is no image.
    pub fn of_entry(path: &Path, reason: &SkipReason) -> Option<Failure> {
        let kind = match reason {
            SkipReason::NameNotUnicode => FailureKind::NameNotUnicode,
            _ => FailureKind::Unreadable,
        };
        reason.is_failure().then(|| Failure { path: path.to_owned(), kind, reason: reason.to_string() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}
