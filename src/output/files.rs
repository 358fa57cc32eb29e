//! The files of a run: the output and what lies beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a run writes. All names come from the output's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFiles {
    /// `features.pkl`: the output.
    pub features: PathBuf,
    /// `features.pkl.journal`: what is computed so far. It is gone when the output is there.
    pub journal: PathBuf,
    /// `features.provenance.jsonl`: what the output was made from.
    pub provenance: PathBuf,
    /// `features.failures.jsonl`: the images that are not in the output. Only there where there are any.
    pub failures: PathBuf,
}

impl OutputFiles {
    /// The files of the output at `features`.
    pub fn of(features: &Path) -> OutputFiles {
        let mut journal = OsString::from(features);
        journal.push(".journal");
        OutputFiles {
            journal: journal.into(),
            provenance: features.with_extension("provenance.jsonl"),
            failures: features.with_extension("failures.jsonl"),
            features: features.to_owned(),
        }
    }

    /// The files that a run writes under temporary names first.
    pub(super) fn replaced_when_finished(&self) -> [&Path; 3] {
        [&self.features, &self.provenance, &self.failures]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_name_of_its_own() {
        for (features, journal, provenance) in [
            ("out/features.pkl", "out/features.pkl.journal", "out/features.provenance.jsonl"),
            ("a.b.pkl", "a.b.pkl.journal", "a.b.provenance.jsonl"),
            ("features", "features.journal", "features.provenance.jsonl"),
        ] {
            let files = OutputFiles::of(features.as_ref());
            assert_eq!((files.journal, files.provenance), (journal.into(), provenance.into()));
        }
    }
}
