//! What tells two versions of a file apart without reading them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Size and time of a file. Features are reused only where both are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The size in bytes.
    pub bytes: u64,
    /// The last modification, in nanoseconds since 1970 (UTC).
    pub modified_ns: i64,
}

impl Stamp {
    /// The stamp of the file that `path` leads to, links followed.
    pub fn of(path: &Path) -> io::Result<Stamp> {
        let metadata = fs::metadata(path)?;
        Ok(Stamp { bytes: metadata.len(), modified_ns: since_1970(metadata.modified()?) })
    }
}

/// Times that a file system may hold and an `i64` not, after the year 2262, are taken as the last that it holds.
fn since_1970(time: SystemTime) -> i64 {
    let clamp = |nanoseconds: u128| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => clamp(after.as_nanos()),
        Err(before) => -clamp(before.duration().as_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_before_1970_and_after_2262_are_numbers_too() {
        let (day, age) = (Duration::from_secs(86_400), Duration::from_secs(400 * 366 * 86_400));
        assert_eq!(since_1970(UNIX_EPOCH + day), 86_400_000_000_000);
        assert_eq!(since_1970(UNIX_EPOCH - day), -86_400_000_000_000);
        assert_eq!(since_1970(UNIX_EPOCH + age), i64::MAX);
    }
}
