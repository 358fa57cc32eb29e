//! The files of a run: the output and what lies beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Error, Result, temporary_file};

/// The usual ending of an output, which the files beside it have not.
const ENDING: &str = "pkl";

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
    /// `features`: the one output whose files beside it would have the same names.
    namesake: PathBuf,
}

impl OutputFiles {
    /// The files of the output at `features`.
    pub fn of(features: &Path) -> OutputFiles {
        // Only this ending: `a.v1` and `a.v2` are two outputs.
        let has_ending = features.extension().is_some_and(|ending| ending == ENDING);
        let name = if has_ending { features.with_extension("") } else { features.to_owned() };
        OutputFiles {
            journal: followed_by(features, ".journal"),
            provenance: followed_by(&name, ".provenance.jsonl"),
            failures: followed_by(&name, ".failures.jsonl"),
            namesake: if has_ending { name } else { followed_by(features, &format!(".{ENDING}")) },
            features: features.to_owned(),
        }
    }

    /// An error where the files beside the output are those of another, which has the same name with or without `.pkl`.
    pub fn check_namesake(&self) -> Result<()> {
        if self.features.exists() || !self.provenance.exists() || !self.namesake.is_file() {
            return Ok(());
        }
        let (provenance, namesake) = (self.provenance.display(), self.namesake.display());
        Err(Error::Usage(format!("{provenance} is that of {namesake}; choose another name for the output with -o")))
    }

    /// An error where a file cannot be written under its temporary name: that is longer than its own, which may be as long as
    /// names can be.
    pub fn check_temporary_names(&self) -> Result<()> {
        self.replaced_when_finished()
            .into_iter()
            .try_for_each(|path| temporary_file::beside(path).map(drop).map_err(Error::io("write the output", path)))
    }

    /// The files that a run writes under temporary names first.
    pub(super) fn replaced_when_finished(&self) -> [&Path; 3] {
        [&self.features, &self.provenance, &self.failures]
    }
}

fn followed_by(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
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
            ("features.pickle", "features.pickle.journal", "features.pickle.provenance.jsonl"),
            ("a.v1", "a.v1.journal", "a.v1.provenance.jsonl"),
            (".pkl", ".pkl.journal", ".pkl.provenance.jsonl"),
        ] {
            let files = OutputFiles::of(features.as_ref());
            assert_eq!((files.journal, files.provenance), (journal.into(), provenance.into()));
        }
    }
}
