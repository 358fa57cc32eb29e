//! From a complete journal to the output and the files beside it.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::failure::FailureKind;
use super::files::OutputFiles;
use super::identity::Digest;
use super::journal::Journal;
use super::pickle::FeaturesWriter;
use super::provenance::{self, ImageLine, Run, write_line};
use crate::extract::Extraction;
use crate::images::Dataset;
use crate::{Error, Result, temporary_file};

/// A line of `features.failures.jsonl`.
#[derive(Serialize)]
struct FailureLine<'a> {
    path: String,
    kind: FailureKind,
    reason: &'a str,
}

/// Writes the features that `journal` holds to the output in the dataset's order, then the files beside it, and deletes the
/// journal. Each file takes its name when it is complete and on the disk.
///
/// # Errors
/// [`Error::Stopped`] once `stop` is set; otherwise as [`FeaturesWriter`]'s. The journal is then still there, and the output
/// is as it was, or [made of it](Journal::made_output).
pub fn finish(
    mut journal: Journal,
    dataset: &Dataset,
    extraction: &Extraction,
    files: &OutputFiles,
    overwrite: bool,
    stop: &AtomicBool,
) -> Result<Digest> {
    // Where its disk is gone, the output's is: a name on it may lead to another disk by now.
    journal.sync()?;
    let overwrite = overwrite || journal.made_output();
    let output = write_features(&mut journal, dataset, &files.features, overwrite, stop)?;
    let run = Run {
        folder: dataset.folder.display().to_string(),
        identity: journal.identity().clone(),
        sessions: journal.sessions().to_vec(),
        images: journal.done(),
        computed: extraction.computed,
        failed: extraction.failures.len(),
        seconds: extraction.elapsed.as_secs_f64(),
        finished: provenance::now(),
        output: output.clone(),
    };
    write_provenance(&journal, dataset, &run, &files.provenance)?;
    write_failures(dataset, extraction, &files.failures)?;
    journal.delete()?;
    Ok(output)
}

fn write_features(
    journal: &mut Journal,
    dataset: &Dataset,
    path: &Path,
    overwrite: bool,
    stop: &AtomicBool,
) -> Result<Digest> {
    let mut writer = FeaturesWriter::create(path, &journal.identity().shape, overwrite)?;
    for (position, image) in dataset.images.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        if let Some(features) = journal.features(position)? {
            writer.write(&image.key, &features)?;
        }
    }
    // From here on the output may be there, and the next run has to know that it is its own.
    journal.add_finished(writer.digest())?;
    writer.finish()
}

fn write_provenance(journal: &Journal, dataset: &Dataset, run: &Run, path: &Path) -> Result<()> {
    write_file(path, |out| {
        write_line(out, run)?;
        for (position, image) in dataset.images.iter().enumerate() {
            if let Some(stamp) = journal.stamp(position) {
                write_line(out, &ImageLine { key: image.key.clone(), path: dataset.relative(&image.path), stamp })?;
            }
        }
        Ok(())
    })
}

fn write_failures(dataset: &Dataset, extraction: &Extraction, path: &Path) -> Result<()> {
    if extraction.failures.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete the old", path)(error)),
            _ => Ok(()),
        };
    }
    write_file(path, |out| {
        extraction.failures.iter().try_for_each(|failure| {
            let path = dataset.relative(&failure.path);
            write_line(out, &FailureLine { path, kind: failure.kind, reason: &failure.reason })
        })
    })
}

/// Replaces a file by one that `content` writes.
fn write_file(path: &Path, content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let write = || {
        let mut out = BufWriter::new(temporary_file::beside(path)?);
        content(&mut out)?;
        let file = out.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        temporary_file::sync_folder(path)
    };
    write().map_err(Error::io("write", path))
}
