//! A finished output brought up to date: features of images that have not changed are taken from it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::OutputFiles;
use super::identity::{Digest, Identity};
use super::journal::Journal;
use super::provenance::{ImageLine, ProvenanceReader, Run};
use super::reader::FeaturesReader;
use crate::images::{Dataset, Stamp};
use crate::{Error, Result};

/// Copies into `journal` the features of the finished output for every image of `dataset` that it lacks and that is still as
/// it was, and returns their number. Without an output there is nothing to copy, nor of one that the journal has made.
///
/// # Errors
/// [`Error::Usage`] where the output's provenance is missing, or is that of another file, or has another identity than the
/// journal; [`Error::Stopped`] once `stop` is set.
pub fn take_finished(
    journal: &mut Journal,
    dataset: &Dataset,
    files: &OutputFiles,
    stop: &AtomicBool,
) -> Result<usize> {
    if !files.features.exists() || journal.made_output() || journal.pending().is_empty() {
        return Ok(0);
    }
    let broken = |error: io::Error| unusable(files, &error.to_string());
    let (run, mut lines) = ProvenanceReader::open(&files.provenance).map_err(broken)?;
    check(&run, journal.identity(), files)?;
    let mut features = FeaturesReader::open(&files.features)?;
    let mut taken = 0;
    // Both files are in the order of the keys, image by image.
    while let Some(entry) = features.next_entry()? {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let line = lines
            .next_image()
            .map_err(broken)?
            .filter(|line| line.key == entry.key && entry.shape() == journal.identity().shape);
        let line = line.ok_or_else(|| unusable(files, &format!("its line for {:?} is missing", entry.key)))?;
        if let Some(position) = wanted(journal, dataset, &line) {
            journal.append(dataset, position, line.stamp, &features.values(&entry)?)?;
            taken += 1;
        }
    }
    for session in run.sessions {
        journal.add_session(session)?;
    }
    Ok(taken)
}

fn check(run: &Run, identity: &Identity, files: &OutputFiles) -> Result<()> {
    let differences = identity.differences(&run.identity);
    if !differences.is_empty() {
        return Err(Error::Usage(format!(
            "{} was made with other options. Give the same ones for --resume, or --overwrite to compute all of it anew:\n  {}",
            files.features.display(),
            differences.join("\n  ")
        )));
    }
    let found = Digest::of_file(&files.features)?;
    if found == run.output {
        return Ok(());
    }
    let (expected, found) = (run.output.bytes, found.bytes);
    Err(unusable(files, &format!("it belongs to another file: one of {expected} bytes, this one has {found}")))
}

fn unusable(files: &OutputFiles, problem: &str) -> Error {
    Error::Usage(format!(
        "--resume needs {} to know what {} was made from: {problem}. --overwrite computes all of it anew",
        files.provenance.display(),
        files.features.display()
    ))
}

/// The place of an image whose features are missing in the journal, where it is still the one of `line`.
fn wanted(journal: &Journal, dataset: &Dataset, line: &ImageLine) -> Option<usize> {
    let position = line.position(dataset)?;
    let same = || Stamp::of(&dataset.images[position].path).is_ok_and(|stamp| stamp == line.stamp);
    (journal.stamp(position).is_none() && same()).then_some(position)
}
