//! `features.pkl.journal`: what a run has computed so far, so that nothing of it is lost when the run ends early.
//!
//! The file is a line of text, [`MAGIC`], then records ([`super::record`]), each written once and never changed.
//! The first is the [`Identity`] of the features. Images follow in whatever order they were computed; of two records
//! of one version of an image either may be used, as both hold the same. A record that is cut off or damaged, and all that
//! follows it, is dropped when the journal is opened.
//!
//! An output that is made of it is recorded before it takes its name. Where that is the output that is there, the run was ended
//! between its last steps, and the output is its own.
//!
//! What fails to be decoded is not recorded: it is tried again by the run that goes on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::OutputFiles;
use super::identity::{Digest, Identity};
use super::lock::{check_in_place, lock};
use super::provenance::{ImageLine, Session};
use super::record::{Record, RecordReader, encode, parse};
use super::syncer::Syncer;
use crate::images::{Dataset, Stamp};
use crate::{Error, Result, temporary_file};

/// What a journal begins with. Another format would have another number.
pub const MAGIC: &[u8] = b"vgg-wgpu journal 1\n";

/// The journal of an output, open and locked. Features are written to it as they come and read back, image by image, when
/// the output is made. Memory does not grow with the features.
///
/// Dropping it keeps the file, unless it holds no image.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Arc<File>,
    /// Where the next record goes.
    end: u64,
    identity: Identity,
    values: usize,
    sessions: Vec<Session>,
    /// Who writes from now on, until there are features of theirs.
    begun: Option<Session>,
    /// For each image of the dataset, the record that holds its features.
    images: Vec<Option<Located>>,
    /// Image records in the file, superseded ones included.
    records: usize,
    /// The outputs that were made of it.
    finished: Vec<Digest>,
    made_output: bool,
    cut_bytes: u64,
    /// Whether dropping it deletes a file without images. Not before it is known to be ours.
    may_delete: bool,
    body: Vec<u8>,
    syncer: Syncer,
}

#[derive(Debug, Clone, Copy)]
struct Located {
    at: u64,
    stamp: Stamp,
}

impl Journal {
    /// Opens the journal of an output, or begins one where there is none, and locks it. Features that it holds of images of
    /// `dataset` count as done where path, size and time of the image are as they were. `restart` throws away what it holds.
    ///
    /// # Errors
    /// [`Error::Usage`] where the journal was begun with another identity, or is no journal; [`Error::Io`] where another
    /// process has locked it, or the system refuses.
    pub fn open(files: &OutputFiles, identity: Identity, dataset: &Dataset, restart: bool) -> Result<Journal> {
        let path = &files.journal;
        let values = identity
            .values()
            .ok_or_else(|| Error::Usage(format!("an array of shape {:?} does not fit in memory", identity.shape)))?;
        let file = Arc::new(lock(path)?);
        // They cost nothing but space: where they cannot be removed the run goes on.
        for path in files.replaced_when_finished() {
            let _ = temporary_file::remove_leftovers(path);
        }
        let mut journal = Journal {
            path: path.clone(),
            end: 0,
            identity,
            values,
            sessions: Vec::new(),
            begun: None,
            images: vec![None; dataset.images.len()],
            records: 0,
            finished: Vec::new(),
            made_output: false,
            cut_bytes: 0,
            may_delete: false,
            body: Vec::new(),
            syncer: Syncer::start(file.clone(), path.clone()).map_err(Error::io("start a thread for", path))?,
            file,
        };
        journal.check_magic()?;
        if restart {
            journal.file.set_len(0).map_err(Error::io("empty", path))?;
        }
        journal.replay(dataset)?;
        journal.forget_changed_images(dataset);
        journal.made_output = journal.has_made(&files.features);
        journal.may_delete = true;
        if journal.end == 0 {
            journal.begin()?;
        }
        Ok(journal)
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its features are features of.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The runs that have written to it, oldest first.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Images whose features it holds.
    pub fn done(&self) -> usize {
        self.images.iter().flatten().count()
    }

    /// Whether the output that was there when it was opened had been made of it: it holds all of that output's features, and
    /// the output may be replaced.
    pub fn made_output(&self) -> bool {
        self.made_output
    }

    /// Bytes that were cut off when it was opened, because the run before ended while it wrote them.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// The images whose features are still to be computed, as places in the dataset.
    pub fn pending(&self) -> Vec<usize> {
        (0..self.images.len()).filter(|&position| self.images[position].is_none()).collect()
    }

    /// The stamp of an image whose features it holds.
    pub fn stamp(&self, position: usize) -> Option<Stamp> {
        self.images[position].map(|located| located.stamp)
    }

    /// Notes who writes from now on, together with the first features: who writes none is not among its sessions.
    pub fn begin_session(&mut self, session: Session) {
        self.begun = Some(session);
    }

    /// Notes who has written some of its features.
    pub fn add_session(&mut self, session: Session) -> Result<()> {
        if !self.sessions.contains(&session) {
            self.write(&Record::Session(session.clone()), &[])?;
            self.sessions.push(session);
        }
        Ok(())
    }

    /// Adds the features of the image at `position` of `dataset`, read when its file had `stamp`. They are on the disk at
    /// most two seconds later.
    pub fn append(&mut self, dataset: &Dataset, position: usize, stamp: Stamp, features: &[f32]) -> Result<()> {
        assert_eq!(features.len(), self.values, "features of shape {:?}", self.identity.shape);
        if let Some(session) = self.begun.take() {
            self.add_session(session)?;
        }
        let image = &dataset.images[position];
        let line = ImageLine { key: image.key.clone(), path: dataset.relative(&image.path), stamp };
        let at = self.write(&Record::Image(line), features)?;
        self.images[position] = Some(Located { at, stamp });
        self.records += 1;
        Ok(())
    }

    /// The features of the image at `position`, read from the disk and checked; none where they are still to be computed.
    pub fn features(&mut self, position: usize) -> Result<Option<Vec<f32>>> {
        let Some(Located { at, .. }) = self.images[position] else { return Ok(None) };
        let mut read = || {
            let whole = RecordReader::of_one(&self.file, at, self.end)?.next(&mut self.body, self.values)?;
            let start = self.body.len().checked_sub(self.values * size_of::<f32>());
            let start = start.filter(|_| whole).ok_or_else(|| {
                let problem = format!("the record at byte {at} has changed since; the same command computes it again");
                io::Error::new(io::ErrorKind::InvalidData, problem)
            })?;
            let (values, _) = self.body[start..].as_chunks();
            Ok(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
        };
        read().map(Some).map_err(Error::io("read", &self.path))
    }

    /// Notes an output that is made of it and about to take its name, and waits until that is on the disk.
    pub(super) fn add_finished(&mut self, output: Digest) -> Result<()> {
        self.write(&Record::Finished(output), &[])?;
        self.sync()
    }

    fn has_made(&self, output: &Path) -> bool {
        // Most journals have made none, and need not read it.
        !self.finished.is_empty()
            && output.is_file()
            && Digest::of_file(output).is_ok_and(|digest| self.finished.contains(&digest))
    }

    /// Waits until everything is on the disk, which must still be there.
    pub fn sync(&mut self) -> Result<()> {
        let synced = self.syncer.check().and_then(|()| self.file.sync_data());
        synced.and_then(|()| check_in_place(&self.file, &self.path)).map_err(Error::io("write to the disk", &self.path))
    }

    /// Deletes the file: the output is there.
    pub fn delete(mut self) -> Result<()> {
        // While it is locked, and only once: afterwards the name could be another process's.
        self.may_delete = false;
        std::fs::remove_file(&self.path).map_err(Error::io("delete", &self.path))
    }

    /// Refuses a file that is something else, which must be neither read nor emptied.
    fn check_magic(&self) -> Result<()> {
        let mut start = Vec::new();
        let mut file = &*self.file;
        file.rewind()
            .and_then(|()| file.take(MAGIC.len() as u64).read_to_end(&mut start))
            .map_err(Error::io("read", &self.path))?;
        // The first line may be cut off like any other.
        if MAGIC.starts_with(&start) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::Usage(format!(
            "{path} is no journal of this version of vgg-wgpu: it begins with \"{}\". Move it away, or choose another \
             output with -o",
            start.escape_ascii()
        )))
    }

    /// Finds the records of images of `dataset`, and cuts off what is not whole.
    fn replay(&mut self, dataset: &Dataset) -> Result<()> {
        let (path, file) = (self.path.clone(), self.file.clone());
        let io = || Error::io("read", &path);
        let len = file.metadata().map_err(io())?.len();
        let mut reader = RecordReader::new(&file, MAGIC.len() as u64, len).map_err(io())?;
        let mut at = reader.at;
        let mut body = Vec::new();
        while reader.next(&mut body, if self.end == 0 { 0 } else { self.values }).map_err(io())? {
            let record = parse(&body, self.values);
            // The identity comes first, and nowhere else.
            let record = record.filter(|record| matches!(record, Record::Identity(_)) == (self.end == 0));
            let record = record.ok_or_else(|| {
                let path = path.display();
                Error::Usage(format!("{path}: the record at byte {at} is not understood; --restart throws all away"))
            })?;
            self.take_record(dataset, record, at)?;
            at = reader.at;
            self.end = at;
        }
        self.cut_bytes = len - self.end.min(len);
        if self.cut_bytes > 0 {
            self.file.set_len(self.end).map_err(Error::io("cut off the damaged end of", &self.path))?;
        }
        Ok(())
    }

    fn take_record(&mut self, dataset: &Dataset, record: Record, at: u64) -> Result<()> {
        match record {
            Record::Identity(old) => self.check_identity(&old)?,
            Record::Session(session) => self.sessions.push(session),
            Record::Finished(output) => self.finished.push(output),
            Record::Image(line) => {
                self.records += 1;
                if let Some(position) = line.position(dataset) {
                    self.images[position] = Some(Located { at, stamp: line.stamp });
                }
            }
        }
        Ok(())
    }

    fn check_identity(&self, old: &Identity) -> Result<()> {
        let differences = self.identity.differences(old);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{} holds the features of an interrupted run with other options. Give the same ones to go on with it, or \
             --restart to throw it away:\n  {}",
            self.path.display(),
            differences.join("\n  ")
        )))
    }

    fn forget_changed_images(&mut self, dataset: &Dataset) {
        for (located, image) in self.images.iter_mut().zip(&dataset.images) {
            *located = located.filter(|located| Stamp::of(&image.path).is_ok_and(|stamp| stamp == located.stamp));
        }
    }

    fn begin(&mut self) -> Result<()> {
        (&*self.file).rewind().and_then(|()| (&*self.file).write_all(MAGIC)).map_err(Error::io("write", &self.path))?;
        self.end = MAGIC.len() as u64;
        self.write(&Record::Identity(self.identity.clone()), &[])?;
        self.sync()?;
        temporary_file::sync_folder(&self.path).map_err(Error::io("write to the disk the folder of", &self.path))
    }

    /// Appends a record and returns where it begins.
    fn write(&mut self, record: &Record, features: &[f32]) -> Result<u64> {
        let at = self.end;
        let mut write = || {
            encode(&mut self.body, record, features)?;
            self.syncer.check()?;
            let mut file = &*self.file;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&self.body)
        };
        write().map_err(Error::io("write", &self.path))?;
        self.end += self.body.len() as u64;
        self.syncer.mark();
        Ok(at)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.records == 0 && self.may_delete && check_in_place(&self.file, &self.path).is_ok() {
            // A run that failed before its first features leaves nothing behind.
            let _ = std::fs::remove_file(&self.path);
        } else if self.syncer.is_behind() {
            let _ = self.sync();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::{Filter, KeyKind, dataset};
    use crate::ops::PreprocessMode;
    use crate::output::identity::Origin;
    use std::fs;

    /// A folder with three images, and the journal of an output in it.
    struct Fixture {
        _folder: tempfile::TempDir,
        dataset: Dataset,
        files: OutputFiles,
    }

    impl Fixture {
        fn new() -> Fixture {
            let folder = tempfile::tempdir().unwrap();
            for name in ["a.png", "b.png", "c.png"] {
                fs::write(folder.path().join(name), name.repeat(3)).unwrap();
            }
            let dataset = dataset::scan(folder.path(), KeyKind::Stem).unwrap();
            let files = OutputFiles::of(&folder.path().join("features.pkl"));
            Fixture { _folder: folder, dataset, files }
        }

        fn open(&self) -> Result<Journal> {
            Journal::open(&self.files, identity(), &self.dataset, false)
        }

        fn append(&self, journal: &mut Journal, position: usize) {
            let stamp = Stamp::of(&self.dataset.images[position].path).unwrap();
            journal.append(&self.dataset, position, stamp, &features(position)).unwrap();
        }

        /// The bytes of a journal with all three images, and where each of its records ends.
        fn complete(&self) -> (Vec<u8>, Vec<usize>) {
            let mut journal = self.open().unwrap();
            let mut ends = vec![journal.end as usize];
            for position in [1, 0, 2] {
                self.append(&mut journal, position);
                ends.push(journal.end as usize);
            }
            drop(journal);
            (self.bytes(), ends)
        }

        fn bytes(&self) -> Vec<u8> {
            fs::read(&self.files.journal).unwrap()
        }

        /// Opens a journal of these bytes; whatever it holds must be right.
        fn check(&self, bytes: &[u8]) -> Result<usize> {
            fs::write(&self.files.journal, bytes).unwrap();
            let mut journal = self.open()?;
            for position in 0..3 {
                if let Some(found) = journal.features(position)? {
                    assert_eq!(found, features(position));
                }
            }
            Ok(journal.done())
        }
    }

    fn identity() -> Identity {
        Identity {
            model: Origin::Made("a model".into()),
            weights: Origin::Made("weights".into()),
            layer: "fc2".into(),
            shape: vec![1, 5],
            preprocess: PreprocessMode::Caffe,
            resize: Filter::Nearest,
            lenient: false,
            key: KeyKind::Stem,
        }
    }

    fn features(position: usize) -> Vec<f32> {
        (0..5).map(|value| (10 * position + value) as f32).collect()
    }

    fn record(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_le_bytes(), &crc32fast::hash(body).to_le_bytes(), body].concat()
    }

    fn assert_usage(result: Result<impl std::fmt::Debug>, text: &str) {
        assert!(matches!(&result, Err(Error::Usage(problem)) if problem.contains(text)), "{result:?}");
    }

    #[test]
    fn what_was_appended_is_there_when_it_is_opened_again() {
        let fixture = Fixture::new();
        let mut journal = fixture.open().unwrap();
        fixture.append(&mut journal, 2);
        fixture.append(&mut journal, 0);
        drop(journal);
        let mut journal = fixture.open().unwrap();
        assert_eq!((journal.pending(), journal.done(), journal.cut_bytes()), (vec![1], 2, 0));
        assert_eq!(journal.features(0).unwrap(), Some(features(0)));
        assert_eq!(journal.features(1).unwrap(), None);
        assert_eq!(journal.features(2).unwrap(), Some(features(2)));
        journal.delete().unwrap();
        assert!(!fixture.files.journal.exists());
    }

    #[test]
    fn cut_off_anywhere_it_holds_the_records_before_and_takes_more() {
        let fixture = Fixture::new();
        let (bytes, ends) = fixture.complete();
        let near_an_end = |len: usize| ends.iter().any(|end| end.abs_diff(len) < 9);
        for len in (0..=bytes.len()).filter(|&len| len % 8 == 0 || near_an_end(len)) {
            let whole = ends[1..].iter().filter(|&&end| end <= len).count();
            assert_eq!(fixture.check(&bytes[..len]).unwrap(), whole, "{len} bytes");

            let mut journal = fixture.open().unwrap();
            for position in journal.pending() {
                fixture.append(&mut journal, position);
            }
            drop(journal);
            assert_eq!(fixture.check(&fixture.bytes()).unwrap(), 3, "{len} bytes");
        }
    }

    #[test]
    fn no_damaged_byte_becomes_features_or_a_panic() {
        let fixture = Fixture::new();
        let (bytes, ends) = fixture.complete();
        for at in 0..bytes.len() {
            for bit in [0x01, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= bit;
                match fixture.check(&damaged) {
                    Ok(done) => assert!(done <= ends[1..].iter().filter(|&&end| end <= at).count(), "byte {at}"),
                    Err(error) => assert!(at < MAGIC.len(), "byte {at}: {error}"),
                }
            }
        }
    }

    #[test]
    fn tails_of_zeros_of_noise_and_of_huge_lengths_are_cut_off() {
        let fixture = Fixture::new();
        let (bytes, _) = fixture.complete();
        for tail in [&[0; 5000][..], &[0xFF; 5000], &[0x10, 0, 0, 0, 1, 2, 3, 4], &[1]] {
            assert_eq!(fixture.check(&[&bytes, tail].concat()).unwrap(), 3);
            assert_eq!(fixture.bytes(), bytes);
        }
    }

    #[test]
    fn records_that_no_run_writes_are_refused() {
        let fixture = Fixture::new();
        let (bytes, ends) = fixture.complete();
        let image = r#"{"record":"image","key":"a","path":"a.png","bytes":1,"modified_ns":1}"#;
        for body in ["no newline", "\n", "{}\n", "[[[[\n", image, &format!("{image}\n"), &format!("{image}\n1234")] {
            assert_usage(fixture.check(&[&bytes, &record(body.as_bytes())[..]].concat()), "--restart");
        }
        let second_identity = &bytes[MAGIC.len()..ends[0]];
        assert_usage(fixture.check(&[&bytes, second_identity].concat()), "not understood");
        let without_identity = [MAGIC, &bytes[ends[0]..]].concat();
        assert_usage(fixture.check(&without_identity), "not understood");
        assert_eq!(fixture.bytes(), without_identity, "what is not understood is not touched");
    }

    #[test]
    fn mutated_records_with_the_right_checksum_are_taken_or_refused_without_a_panic() {
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::{Rng, SeedableRng};
        let fixture = Fixture::new();
        let (bytes, ends) = fixture.complete();
        let starts: Vec<usize> = [MAGIC.len()].iter().chain(&ends).copied().collect();
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut below = |limit: usize| random.next_u64() as usize % limit;
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..800 {
            let mutated = below(ends.len());
            let mut body = bytes[starts[mutated] + 8..starts[mutated + 1]].to_vec();
            for _ in 0..1 + below(2) {
                let at = below(body.len());
                match below(4) {
                    0 => body[at] = below(256) as u8,
                    1 => body.truncate(at + 1),
                    2 => body.insert(at, b"\"{}[]:,0\n\\"[below(10)]),
                    _ => body.copy_within(at / 2..at, 0),
                }
            }
            let journal = [&bytes[..starts[mutated]], &record(&body)[..], &bytes[starts[mutated + 1]..]].concat();
            fs::write(&fixture.files.journal, journal).unwrap();
            match fixture.open() {
                Ok(mut journal) => {
                    let mut found = (0..3).filter_map(|position| journal.features(position).unwrap());
                    assert!(found.all(|features| features.len() == 5));
                    taken += 1;
                }
                Err(Error::Usage(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(taken > 10 && refused > 100, "{taken} taken, {refused} refused");
    }

    #[test]
    fn an_image_that_changed_or_moved_is_computed_again_and_the_later_record_counts() {
        let fixture = Fixture::new();
        fixture.complete();
        fs::write(&fixture.dataset.images[1].path, "another size").unwrap();
        let mut journal = fixture.open().unwrap();
        assert_eq!(journal.pending(), [1]);
        fixture.append(&mut journal, 1);
        drop(journal);
        assert_eq!(fixture.open().unwrap().done(), 3);

        let moved = fixture.dataset.images[0].path.with_extension("jpg");
        fs::rename(&fixture.dataset.images[0].path, &moved).unwrap();
        let dataset = dataset::scan(&fixture.dataset.folder, KeyKind::Stem).unwrap();
        assert_eq!(Journal::open(&fixture.files, identity(), &dataset, false).unwrap().pending(), [0]);
    }

    #[test]
    fn another_identity_is_refused_with_both_values_unless_it_restarts() {
        let fixture = Fixture::new();
        let (bytes, _) = fixture.complete();
        let other = Identity { layer: "fc1".into(), resize: Filter::Lanczos, ..identity() };
        let error = Journal::open(&fixture.files, other.clone(), &fixture.dataset, false).unwrap_err().to_string();
        for text in ["layer: fc2 then, fc1 now", "--resize: nearest then, lanczos now", "--restart"] {
            assert!(error.contains(text), "{error}");
        }
        assert!(!error.contains("--key"), "{error}");
        assert_eq!(fixture.bytes(), bytes);
        assert_eq!(Journal::open(&fixture.files, other, &fixture.dataset, true).unwrap().done(), 0);
        assert!(!fixture.files.journal.exists(), "an empty journal is not left behind");
    }

    #[test]
    fn what_is_no_journal_is_neither_read_nor_replaced() {
        let fixture = Fixture::new();
        for content in ["precious", "vgg-wgpu journal 2\nrecords"] {
            fs::write(&fixture.files.journal, content).unwrap();
            for restart in [false, true] {
                let journal = Journal::open(&fixture.files, identity(), &fixture.dataset, restart);
                assert_usage(journal, "is no journal");
                assert_eq!(fixture.bytes(), content.as_bytes());
            }
        }
        fs::remove_file(&fixture.files.journal).unwrap();
        fs::create_dir(&fixture.files.journal).unwrap();
        assert_usage(fixture.open(), "not a regular file");
    }

    #[test]
    fn a_second_one_is_refused_while_the_first_is_open() {
        let fixture = Fixture::new();
        let mut journal = fixture.open().unwrap();
        fixture.append(&mut journal, 0);
        let error = fixture.open().unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("another process"), "{error}");
        drop(journal);
        assert_eq!(fixture.open().unwrap().done(), 1);
    }

    /// On Windows the lock keeps others from writing at all.
    #[cfg(unix)]
    #[test]
    fn a_record_that_changes_under_it_is_an_error() {
        let fixture = Fixture::new();
        fixture.complete();
        let mut journal = fixture.open().unwrap();
        let mut bytes = fixture.bytes();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&fixture.files.journal, &bytes).unwrap();
        assert!(journal.features(0).unwrap().is_some());
        assert!(journal.features(2).unwrap_err().to_string().contains("has changed"));
    }
}
