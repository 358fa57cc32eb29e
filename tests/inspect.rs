//! Reading features files, and `vgg-wgpu inspect`: our own, Python's, damaged and hostile ones.

mod cli_fixture;
mod peak_memory;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cli_fixture::Fixture;
use peak_memory::peak_of;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::Result;
use vgg_wgpu::output::{FeaturesReader, FeaturesWriter};

/// Of each file. More for a long search: `VGG_WGPU_MUTATIONS=100000 cargo test --test inspect`.
const MUTATIONS: usize = 2000;

/// The most a reader may hold: its buffers, a full stack and a full memo are below.
const MAX_MEMORY: usize = 2 << 20;

type Entries = Vec<(String, Vec<usize>, Vec<f32>)>;

fn read(path: &Path) -> Result<Entries> {
    let mut reader = FeaturesReader::open(path)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let values = reader.values(&entry)?;
        entries.push((entry.key.clone(), entry.shape().to_vec(), values));
    }
    assert!(reader.next_entry()?.is_none(), "something after the end");
    Ok(entries)
}

/// Reads everything and keeps nothing.
fn read_through(path: &Path) -> Result<usize> {
    let mut reader = FeaturesReader::open(path)?;
    let mut count = 0;
    while let Some(entry) = reader.next_entry()? {
        reader.visit_values(&entry, |_| ())?;
        count += 1;
    }
    Ok(count)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn pickle_fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickle");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn is_small(path: &Path) -> bool {
    !path.to_str().unwrap().ends_with("many.pkl")
}

fn write_features(path: &Path, entries: usize, values: &[f32]) {
    let mut writer = FeaturesWriter::create(path, &[1, values.len()], true).unwrap();
    for entry in 0..entries {
        writer.write(&format!("image{entry:06}"), values).unwrap();
    }
    writer.finish().unwrap();
}

/// Into a new file: some file systems write one that is truncated and filled again to the disk at once.
fn rewrite(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

/// Every small file there is: Python's, and one of our own.
fn small_files(folder: &Path) -> Vec<Vec<u8>> {
    let own = folder.join("own.pkl");
    write_features(&own, 3, &[0.0, f32::NAN, 1.0]);
    let mut files: Vec<Vec<u8>> =
        pickle_fixtures().iter().filter(|path| is_small(path)).map(|path| fs::read(path).unwrap()).collect();
    files.push(fs::read(own).unwrap());
    files
}

#[test]
fn our_own_output_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.pkl");
    // More values than are read at a time, and more entries than Python adds to a dict at once.
    for (entries, len) in [(0, 1), (1500, 3), (2, 50_001)] {
        let mut values: Vec<f32> = (0..len).map(|i| i as f32 / 3.0).collect();
        values[0] = f32::from_bits(0x7fc0_1234);
        write_features(&path, entries, &values);
        let found = read(&path).unwrap();
        assert_eq!(found.len(), entries);
        for (index, (key, shape, found)) in found.iter().enumerate() {
            assert_eq!((key, &shape[..]), (&format!("image{index:06}"), &[1, len][..]));
            assert!(bits(found) == bits(&values), "{key}");
        }
    }
}

#[test]
fn what_python_pickles_comes_back() {
    let paths: Vec<PathBuf> = pickle_fixtures().into_iter().filter(|path| is_small(path)).collect();
    assert_eq!(paths.len(), 8, "NumPy 1 and 2, protocols 2 to 5");
    for path in paths {
        let entries = read(&path).unwrap_or_else(|error| panic!("{error}"));
        let keys: Vec<&str> = entries.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(keys, ["a photo", "every byte", "ключ"], "{}", path.display());
        assert!(entries.iter().all(|(_, shape, _)| shape[..] == [1, 64]), "{}", path.display());
        let ramp = &entries[0].2;
        assert_eq!([ramp[0], ramp[63]], [-1.0, 1.0]);
        assert!((ramp[21] - (-1.0 / 3.0)).abs() < 1e-6, "{}", ramp[21]);
        let every_byte: Vec<u8> = entries[1].2.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(every_byte.into_iter().eq(0..=255), "{}", path.display());
        assert_eq!(entries[2].2, [0.0; 64]);
    }
}

#[test]
fn what_python_adds_in_batches_comes_back() {
    let path = pickle_fixtures().into_iter().find(|path| !is_small(path)).unwrap();
    let entries = read(&path).unwrap();
    assert_eq!(entries.len(), 1001);
    for (index, (key, shape, values)) in entries.into_iter().enumerate() {
        assert_eq!((key, shape, values), (format!("{index:04}"), vec![1], vec![index as f32]));
    }
}

/// A program that Python would run or choke on, and words of the error that it must give.
fn hostile_programs() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let then = |parts: &[&[u8]]| parts.concat();
    let deep = |open: &[u8], levels: usize| then(&[b"\x80\x04", &open.repeat(levels), b"."]);
    let gigantic = |opcode: u8, len: &[u8]| then(&[b"\x80\x04}", &[opcode], len]);
    let system = b"cos\nsystem\n";
    let command = b"X\x02\x00\x00\x00id\x85";
    // Each tuple holds the one before twice, by reference.
    let memo_bomb =
        [&b"\x80\x04)\x94"[..], &(0..60u8).flat_map(|i| [b'h', i, b'h', i, 0x86, 0x94]).collect::<Vec<_>>()];
    vec![
        ("GLOBAL", then(&[b"\x80\x02", system, command, b"R."]), vec!["byte 2:", "\"os\" \"system\""]),
        ("STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93.".to_vec(), vec!["byte 14:", "\"os\" \"system\""]),
        ("a longer builtins name", b"\x80\x04cbuiltins\neval\n.".to_vec(), vec!["\"builtins\" \"eval\""]),
        ("another name of numpy", b"\x80\x04cnumpy\nload\n.".to_vec(), vec!["\"numpy\" \"load\""]),
        ("a dotted name", b"\x80\x04cnumpy\nndarray.tofile\n.".to_vec(), vec!["ndarray.tofile"]),
        (
            "another codec",
            b"\x80\x02c_codecs\nencode\nX\x02\x00\x00\x00idX\x03\x00\x00\x00hex\x86R.".to_vec(),
            vec!["hex"],
        ),
        ("REDUCE of text", b"\x80\x04\x8c\x02id)R.".to_vec(), vec!["calls a str with a tuple"]),
        ("REDUCE of a list", b"\x80\x04cnumpy\nndarray\n]R.".to_vec(), vec!["EMPTY_LIST"]),
        ("INST", b"\x80\x02(X\x02\x00\x00\x00idios\nsystem\n.".to_vec(), vec!["byte 10:", "INST"]),
        ("OBJ", b"\x80\x02(cnumpy\nndarray\no.".to_vec(), vec!["OBJ"]),
        ("NEWOBJ", b"\x80\x02cnumpy\nndarray\n)\x81.".to_vec(), vec!["NEWOBJ"]),
        ("EXT1", b"\x80\x02\x82\x01.".to_vec(), vec!["EXT1"]),
        ("PERSID", b"\x80\x02Pid\n.".to_vec(), vec!["PERSID"]),
        ("BUILD of a function", b"\x80\x02cnumpy\ndtype\n)b.".to_vec(), vec!["state of a function"]),
        ("BUILD of the dict", b"\x80\x02})b.".to_vec(), vec!["state of the dict"]),
        ("no opcode", b"\x80\x04\xff".to_vec(), vec!["0xff"]),
        ("many marks", deep(b"(", 1_000_000), vec!["stack"]),
        ("deep tuples", then(&[b"\x80\x04)", &b"\x85".repeat(1_000_000), b"."]), vec!["levels deep"]),
        ("deep dicts", deep(b"}", 1_000_000), vec!["byte 3:", "dict within the dict"]),
        ("deep lists", deep(b"]", 1_000_000), vec!["EMPTY_LIST"]),
        ("a wide tuple", then(&[b"\x80\x04(", &b"N".repeat(3000), b"t."]), vec!["3000 parts"]),
        ("a memo bomb", memo_bomb.concat(), vec!["levels deep"]),
        (
            "a full memo",
            [b"\x80\x04".to_vec(), b"(NNNNNNNNt\x940".repeat(100_000), b"\x82".to_vec()].concat(),
            vec!["EXT1"],
        ),
        ("a memo index", b"\x80\x02Nr\xff\xff\xff\xffj\xfe\xff\xff\xff.".to_vec(), vec!["entry 4294967294"]),
        ("long bytes", gigantic(0x8e, &[0xff; 8]), vec!["18446744073709551615 bytes", "truncated"]),
        ("long text", gigantic(0x8d, &(1u64 << 40).to_le_bytes()), vec!["1099511627776 bytes", "truncated"]),
        ("long bytes of protocol 3", gigantic(b'B', &[0xff; 4]), vec!["4294967295 bytes"]),
        ("a long frame", gigantic(0x95, &(1u64 << 62).to_le_bytes()), vec!["4611686018427387904 bytes"]),
        ("a long integer", b"\x80\x04\x8a\xff".to_vec(), vec!["8 bytes"]),
        ("a long name", then(&[b"\x80\x04c", &b"a".repeat(1_000_000)]), vec!["name of more than"]),
        ("nothing popped", b"\x80\x040.".to_vec(), vec!["missing on the stack"]),
        ("a mark popped", b"\x80\x04(0.".to_vec(), vec!["missing on the stack"]),
        ("no mark", b"\x80\x04u.".to_vec(), vec!["mark is missing"]),
        ("an entry of no array", b"\x80\x04}\x8c\x01aNs.".to_vec(), vec!["a str with None"]),
        ("an entry of no text", b"\x80\x04}NNs.".to_vec(), vec!["None with None"]),
        ("a key alone", b"\x80\x04}(\x8c\x01au.".to_vec(), vec!["no value"]),
        ("entries of nothing", b"\x80\x04NNNs.".to_vec(), vec!["not the dict"]),
        ("no dict", b"\x80\x04N.".to_vec(), vec!["dict alone"]),
        ("nothing", b"\x80\x04.".to_vec(), vec!["dict alone"]),
        ("more than the dict", b"\x80\x04}N.".to_vec(), vec!["dict alone"]),
        ("a second pickle", b"\x80\x04}.\x80\x04}.".to_vec(), vec!["byte 4:", "4 bytes follow"]),
        ("protocol 0", b"(dp0\n.".to_vec(), vec!["byte 0:", "protocol 2 to 5"]),
        ("protocol 6", b"\x80\x06}.".to_vec(), vec!["byte 0:"]),
        ("HTML", b"<!DOCTYPE html>".to_vec(), vec!["<!"]),
        ("an empty file", Vec::new(), vec!["byte 0:", "truncated"]),
    ]
}

#[test]
fn hostile_programs_are_refused_by_name_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.pkl");
    for (what, program, words) in hostile_programs() {
        rewrite(&path, &program);
        let (result, peak) = peak_of(|| read_through(&path));
        let message = result.expect_err(what).to_string();
        for word in words.iter().chain(&["hostile.pkl"]) {
            assert!(message.contains(word), "{what}: {message}");
        }
        assert!(peak <= MAX_MEMORY, "{what}: {peak} bytes");
    }
}

#[test]
fn arrays_that_are_not_little_endian_float32_in_c_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.pkl");
    write_features(&path, 1, &[1.0, 2.0]);
    let good = fs::read(&path).unwrap();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let shape = |first: u64, second: u64| {
        let dims = |first: u64, second: u64| {
            [&b"\x8a\x08"[..], &first.to_le_bytes(), b"\x8a\x08", &second.to_le_bytes()].concat()
        };
        replaced(&dims(1, 2), &dims(first, second))
    };
    let cases = [
        ("float64", replaced(b"\x02f4", b"\x02f8"), "\"f8\""),
        ("big-endian", replaced(b"\x8c\x01<", b"\x8c\x01>"), "byte order is \">\""),
        // The flag of Fortran's order stands before the values.
        ("Fortran", replaced(b"\x89\x8e", b"\x88\x8e"), "Fortran"),
        ("a value too many", shape(1, 3), "shape [1, 3] has 8 bytes"),
        ("a negative dimension", shape(u64::MAX, 2), "numbers from 0"),
        ("an overflow", shape(1 << 62, 8), "has 8 bytes"),
        ("a product of 0 in 64 bits", shape(1 << 33, 1 << 33), "has 8 bytes"),
    ];
    for (what, bytes, words) in cases {
        rewrite(&path, &bytes);
        let message = read_through(&path).expect_err(what).to_string();
        assert!(message.contains(words), "{what}: {message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pkl");
    for bytes in small_files(folder.path()) {
        for len in 0..bytes.len() {
            rewrite(&path, &bytes[..len]);
            let message = read_through(&path).expect_err("a part is no whole").to_string();
            assert!(message.contains("byte "), "{len}: {message}");
        }
    }
}

#[test]
fn mutated_files_are_read_or_refused_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutated.pkl");
    let mutations = std::env::var("VGG_WGPU_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let [mut refused, mut as_read, mut largest] = [0; 3];
    for (index, original) in small_files(folder.path()).iter().enumerate() {
        for seed in 0..mutations as u64 {
            rewrite(&path, &mutate(original, seed));
            let (result, peak) = peak_of(|| read_through(&path));
            assert!(peak <= MAX_MEMORY, "file {index}, seed {seed}: {peak} bytes");
            *(if result.is_ok() { &mut as_read } else { &mut refused }) += 1;
            largest = largest.max(peak);
        }
    }
    println!("{refused} refused, {as_read} read; at most {largest} bytes");
    assert!(refused > as_read && as_read > 0, "{refused} refused, {as_read} read");
}

/// One to four changes: bits, opcodes, lengths, and parts moved.
fn mutate(original: &[u8], seed: u64) -> Vec<u8> {
    const OPCODES: &[u8] =
        b"(.012FIJKLMNPQRSTUVXabcd}eghijlopqrstu)]GBC\x80\x81\x85\x86\x87\x8a\x8b\x8c\x8d\x8e\x93\x94\x95\x96";
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = original.to_vec();
    for _ in 0..1 + rng.next_u32() % 4 {
        let mut below = |limit: usize| (rng.next_u64() % limit.max(1) as u64) as usize;
        let at = below(bytes.len().saturating_sub(8));
        match below(6) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = OPCODES[below(OPCODES.len())],
            2 => bytes[at..at + 8].copy_from_slice(&[0, 1 << 32, i64::MAX as u64, u64::MAX][below(4)].to_le_bytes()),
            3 => drop(bytes.drain(at..at + 1 + below(8))),
            4 => {
                let part = bytes[at..at + 8].to_vec();
                let to = below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    bytes
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.pkl");
    let [none, one] = [0, 1].map(|entries| {
        write_features(&path, entries, &[0.5; 4096]);
        fs::read(&path).unwrap()
    });
    let (stop, head) = none.split_last().unwrap();
    let record = &one[head.len()..one.len() - 1];
    let peaks = [100, 18_400].map(|entries| {
        let mut file = BufWriter::new(fs::File::create(&path).unwrap());
        file.write_all(head).unwrap();
        (0..entries).for_each(|_| file.write_all(record).unwrap());
        file.write_all(&[*stop]).unwrap();
        drop(file);
        let (count, peak) = peak_of(|| read_through(&path).unwrap());
        assert_eq!(count, entries);
        peak
    });
    let megabytes = fs::metadata(&path).unwrap().len() / 1_000_000;
    println!("{megabytes} MB read with at most {} bytes", peaks[1]);
    assert!(megabytes > 300 && peaks[1] == peaks[0], "{peaks:?}");
}

#[test]
fn inspect_says_what_is_in_a_file() {
    let fixture = Fixture::new();
    fixture.extract(&[]).code(0);
    let said = contains("3, float32, of shape [1, 48]").and(contains("0 NaN, 0 infinite; 0 entries all zero"));
    let keys = contains(r#"["a", "b", "c"]"#).and(contains("keys sorted: yes"));
    fixture.run(&["inspect"]).code(0).stdout(said.and(keys).and(contains("nothing is wrong"))).stderr("");
    for path in pickle_fixtures().iter().filter(|path| !is_small(path)) {
        fixture.run(&["inspect", path.to_str().unwrap()]).code(3).stdout(contains("1001, float32, of shape [1]"));
    }
}

#[test]
fn inspect_tells_what_is_wrong_by_exit_code_3() {
    let fixture = Fixture::new();
    let mut writer = FeaturesWriter::create(&fixture.path("features.pkl"), &[1, 3], false).unwrap();
    for (key, values) in [("b", [f32::NAN, f32::NAN, 0.0]), ("b", [f32::INFINITY, 0.0, 1.0]), ("a", [0.0, -0.0, 0.0])] {
        writer.write(key, &values).unwrap();
    }
    writer.finish().unwrap();
    let output = fixture.run(&["inspect", "features.pkl", "--json"]).code(3).get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
    for (field, value) in [
        ("entries", 3),
        ("file_bytes", fs::metadata(fixture.path("features.pkl")).unwrap().len()),
        ("nan_values", 2),
        ("infinite_values", 1),
        ("entries_with_nan_or_infinite_values", 2),
        ("all_zero_entries", 1),
        ("keys_that_repeat_the_one_before", 1),
    ] {
        assert_eq!(report[field], value, "{field} in {report}");
    }
    assert_eq!(report["keys_sorted"], false);
    assert_eq!(report["shape"], serde_json::json!([1, 3]));
    assert_eq!(report["first_keys"], serde_json::json!(["b", "b", "a"]));
    assert_eq!(report["problems"].as_array().unwrap().len(), 3, "{report}");
}

#[test]
fn inspect_shows_where_the_features_came_from() {
    let fixture = Fixture::new();
    fixture.extract(&[]).code(0);
    let provenance = fixture.path("features.provenance.jsonl");
    fs::write(&provenance, "{\"weights\": \"mine.h5\", \"layer\": \"fc2\"}\n{\"key\": \"a\"}\n").unwrap();
    fixture.run(&["inspect"]).code(0).stdout(contains(r#"layer: "fc2""#).and(contains(r#"weights: "mine.h5""#)));
    // As of an output that was brought up to date many hundred times.
    let long = format!("{{\"sessions\": \"{}\", \"layer\": \"fc2\"}}\n", "s".repeat(100_000));
    fs::write(&provenance, long).unwrap();
    fixture.run(&["inspect"]).code(0).stdout(contains(r#"layer: "fc2""#));
    fs::write(&provenance, "[1, 2]\n").unwrap();
    fixture.run(&["inspect"]).code(3).stdout(contains("features.provenance.jsonl").and(contains("no JSON object")));
}

#[test]
fn inspect_refuses_what_is_no_features_file_with_exit_code_1() {
    let fixture = Fixture::new();
    fs::write(fixture.path("bad.pkl"), b"\x80\x04cos\nsystem\n.").unwrap();
    let message =
        contains("bad.pkl").and(contains("byte 2:")).and(contains("\"os\" \"system\"")).and(contains("trust"));
    fixture.run(&["inspect", "bad.pkl"]).code(1).stdout("").stderr(message);
    fixture.run(&["inspect", "missing.pkl"]).code(1).stderr(contains("missing.pkl"));
    fixture.run(&["inspect", "images"]).code(1).stderr(contains("regular file"));
}
