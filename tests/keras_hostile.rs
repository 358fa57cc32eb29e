//! Damaged and hostile model files: thousands of mutations of each kind of file are opened and read to the last value.
//! None may panic, take long, or use more memory than its small model has use for.

mod keras_fixture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdf5_reader::checksum::jenkins_lookup3;
use keras_fixture::Fixture;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::keras::Model;

/// Of each file. More for a long search: `VGG_WGPU_MUTATIONS=100000 cargo test --test keras_hostile`.
const MUTATIONS: u64 = 280;

/// The largest file has 53 KB; gzip makes at most a thousand times as much of a chunk as was stored.
const MAX_BYTES: usize = 16 << 20;

/// Of a millisecond's work, on a machine that is busy with other things.
const MAX_TIME: Duration = Duration::from_secs(1);

/// The system's allocator, that counts, and fails before the machine does. The process is then aborted, and the file that
/// did it stays in the temporary folder.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Whether there is memory for `added` more bytes, which are counted then.
fn count(added: usize) -> bool {
    const ALL: usize = 1 << 30;
    let live = LIVE.load(Relaxed).saturating_add(added);
    PEAK.fetch_max(live, Relaxed);
    if live <= ALL {
        LIVE.fetch_add(added, Relaxed);
    }
    live <= ALL
}

// SAFETY: every call goes to the system's allocator unchanged, or fails as an allocator may. There is no safe way to see
// what a library asks for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(layout.size()) { unsafe { System.alloc(layout) } } else { null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if count(layout.size()) { unsafe { System.alloc_zeroed(layout) } } else { null_mut() }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !count(size) {
            return null_mut();
        }
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What became of the mutations of one kind of file.
#[derive(Default)]
struct Outcomes {
    refused: usize,
    read: usize,
    slowest: Duration,
    most_bytes: usize,
}

#[test]
fn no_mutated_file_panics_or_takes_much() {
    let folder = tempfile::tempdir().unwrap();
    let mutations = std::env::var("VGG_WGPU_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let mut kinds: BTreeMap<String, Outcomes> = BTreeMap::new();
    for Subject { kind, json, file } in subjects() {
        let original = fs::read(&file).unwrap();
        let checksums = checksums(&original);
        let mutated = folder.path().join("mutated").with_extension(file.extension().unwrap());
        let outcomes = kinds.entry(kind).or_default();
        for seed in 0..mutations {
            let what = format!("{} with seed {seed}", file.display());
            // Into a new file: some file systems write one that is truncated and filled again to the disk at once.
            let _ = fs::remove_file(&mutated);
            fs::write(&mutated, mutate(&original, &checksums, seed)).unwrap();
            let before = LIVE.load(Relaxed);
            PEAK.store(before, Relaxed);
            let start = Instant::now();
            let read = std::panic::catch_unwind(|| read_everything(&json, &mutated));
            let (time, bytes) = (start.elapsed(), PEAK.load(Relaxed) - before);
            let read = read.unwrap_or_else(|_| panic!("{what}: panicked"));
            assert!(bytes <= MAX_BYTES, "{what}: {bytes} bytes were allocated");
            assert!(time <= MAX_TIME, "{what}: took {time:?}");
            *(if read { &mut outcomes.read } else { &mut outcomes.refused }) += 1;
            outcomes.slowest = outcomes.slowest.max(time);
            outcomes.most_bytes = outcomes.most_bytes.max(bytes);
        }
    }
    for (kind, Outcomes { refused, read, slowest, most_bytes }) in kinds {
        println!("{kind}: {refused} refused, {read} read, slowest {slowest:?}, at most {most_bytes} bytes");
        assert!(refused > 0 && read > 0, "{kind}: the mutations reach nothing, or nothing behind them");
    }
}

/// A file to be mutated, and the architecture it is for.
struct Subject {
    kind: String,
    json: PathBuf,
    file: PathBuf,
}

/// Every model file that a Keras wrote, and every form of storage that none writes by itself.
fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for fixture in Fixture::all() {
        for extension in ["h5", "weights.h5", "model.h5", "keras"] {
            let file = fixture.path(extension);
            if file.exists() {
                subjects.push(Subject { kind: format!(".{extension}"), json: fixture.path("json"), file });
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let kind = ["v114", "chunked"].into_iter().find(|kind| name.starts_with(kind)).unwrap_or("other storage");
        if file.extension().is_some_and(|extension| extension == "h5") {
            subjects.push(Subject { kind: kind.into(), json: folder.join("small.json"), file });
        }
    }
    subjects
}

/// Whether every weight can be read, with the architecture given and, from a whole model, with its own.
fn read_everything(json: &Path, file: &Path) -> bool {
    let load = |opened: vgg_wgpu::Result<Model>| {
        opened.is_ok_and(|model| model.parameters.iter().flatten().all(|parameter| parameter.load().is_ok()))
    };
    // Both are run: `&` and `|` do not stop at the first.
    load(Model::open(Some(json), Some(file))) | load(Model::open(Some(file), None))
}

/// Where newer HDF5 keeps a checksum of the bytes before it: pairs of the first of them and the checksum's place.
fn checksums(file: &[u8]) -> Vec<(usize, usize)> {
    const LONGEST: usize = 600;
    let begins = |at: &usize| *at == 0 || file[*at..*at + 4].iter().all(u8::is_ascii_uppercase);
    let ends = |start: usize| {
        let mut ends = start + 4..(start + LONGEST).min(file.len() - 3);
        ends.find(|&end| file[end..end + 4] == jenkins_lookup3(&file[start..end]).to_le_bytes())
    };
    (0..file.len() - 4).filter(begins).filter_map(|start| Some((start, ends(start)?))).collect()
}

/// One to eight changes of the kinds that reach furthest: bits, and numbers that a size or an address may be. Checksums
/// are those of the mutated bytes three times out of four, or nothing behind them is ever reached.
fn mutate(original: &[u8], checksums: &[(usize, usize)], seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: usize| (rng.next_u64() % limit.max(1) as u64) as usize;
    let mut bytes = original.to_vec();
    for _ in 0..1 + below(8) {
        let at = below(bytes.len() - 8);
        match below(7) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = below(256) as u8,
            2 => bytes[at..at + 4].copy_from_slice(&[0, 1, 0x7fff_ffff, u32::MAX][below(4)].to_le_bytes()),
            3 => bytes[at..at + 8].copy_from_slice(&[0, 1 << 32, i64::MAX as u64, u64::MAX][below(4)].to_le_bytes()),
            4 => {
                let aligned = at / 8 * 8;
                let address = below(original.len()) as u64 / 8 * 8;
                bytes[aligned..aligned + 8].copy_from_slice(&address.to_le_bytes());
            }
            5 => {
                let from = below(bytes.len() - 8);
                bytes.copy_within(from..from + 8, at);
            }
            _ if below(8) == 0 => bytes.truncate(at.max(16)),
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    if below(4) > 0 {
        for &(start, end) in checksums {
            if end + 4 <= bytes.len() {
                let checksum = jenkins_lookup3(&bytes[start..end]).to_le_bytes();
                bytes[end..end + 4].copy_from_slice(&checksum);
            }
        }
    }
    bytes
}
