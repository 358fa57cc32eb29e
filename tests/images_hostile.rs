//! Damaged and hostile images of every format: none may panic, take long, or ask for memory out of proportion.

mod peak_memory;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peak_memory::peak_of;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vgg_wgpu::images::{self, Format, ImageError, MAX_PIXELS, RgbImage};

/// Of all files together. More for a long search: `VGG_WGPU_MUTATIONS=1000000 cargo test --test images_hostile`.
const MUTATIONS: usize = 20_000;

/// The most that a decoder of the `image` crate may allocate for an image that is then refused.
const MAX_REFUSED_MEMORY: usize = 3 << 29;

/// The pixels, a decoder's copy of them with 16 bits and alpha, and some tables.
fn max_memory(decoded: Option<&RgbImage>) -> usize {
    decoded.map_or(MAX_REFUSED_MEMORY, |image| image.pixels.len() / 3 * 16) + (8 << 20)
}

/// On a machine that does other things too. Few bytes may be many pixels, within the limit.
fn max_time(decoded: Option<&RgbImage>) -> Duration {
    Duration::from_secs(1) + Duration::from_nanos(20) * decoded.map_or(0, |image| image.pixels.len() / 3) as u32
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/decode");
    fs::read(folder.join(name)).unwrap()
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/decode");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().unwrap() != "ppm");
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// What the decoder says, and how long and with how much memory it did.
fn decode(bytes: &[u8], is_lenient: bool) -> (Result<RgbImage, ImageError>, Duration, usize) {
    let start = Instant::now();
    let (result, peak) = peak_of(|| if is_lenient { images::decode_lenient(bytes) } else { images::decode(bytes) });
    (result, start.elapsed(), peak)
}

#[test]
fn no_mutated_image_panics_takes_long_or_takes_much_memory() {
    let originals = fixtures();
    let mutations = std::env::var("VGG_WGPU_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let mut outcomes: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for seed in 0..mutations {
        let original = &originals[seed % originals.len()];
        let mut bytes = mutate(original, seed as u64);
        repair_png_checksums(&mut bytes);
        let is_lenient = seed % 2 == 1;
        let (result, mut elapsed, peak) = decode(&bytes, is_lenient);
        let image = result.as_ref().ok();
        if elapsed > max_time(image) {
            // Whatever else the machine did may have taken the time; hardly twice.
            elapsed = decode(&bytes, is_lenient).1;
        }
        if let Err(error) = &result {
            assert!(!error.to_string().contains("gave up"), "seed {seed}: a decoder panicked: {error}");
        }
        assert!(image.is_none_or(|image| (image.width * image.height) as u64 <= MAX_PIXELS), "seed {seed}: {image:?}");
        assert!(peak <= max_memory(image), "seed {seed}: {peak} bytes for {result:?}");
        assert!(elapsed <= max_time(image), "seed {seed}: {elapsed:?} for {result:?}");
        (slowest, largest) = (slowest.max(elapsed), largest.max(peak));
        let format = Format::of_content(original).unwrap();
        outcomes.entry(format!("{format:?}")).or_default()[usize::from(result.is_ok())] += 1;
    }
    println!("slowest {slowest:?}, at most {largest} bytes");
    for (format, [refused, accepted]) in &outcomes {
        println!("{format}: {refused} refused, {accepted} accepted");
        assert!(*refused > 0 && *accepted > 0, "{format}: {refused} refused, {accepted} accepted: this is no test");
    }
    assert_eq!(outcomes.len(), 6);
}

/// Bytes and numbers replaced, parts cut out or doubled, or the end dropped.
fn mutate(original: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = original.to_vec();
    for _ in 0..1 + rng.next_u32() % 4 {
        if bytes.len() <= 4 {
            break;
        }
        let mut below = |limit: usize| (rng.next_u64() % limit as u64) as usize;
        let at = below(bytes.len() - 4);
        match below(6) {
            0 => bytes[at] = below(256) as u8,
            1 => bytes[at] ^= 1 << below(8),
            2 => {
                let number = [0, 0x7fff_ffff, u32::MAX, 0x0001_0000][below(4)];
                bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
            }
            3 => drop(bytes.drain(at..(at + 1 + below(50)).min(bytes.len()))),
            4 => {
                let part = bytes[at..(at + 1 + below(50)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ if below(4) == 0 => bytes.truncate(at),
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    bytes
}

/// Gives each chunk of a PNG the checksum it asks for, so that damage reaches the decoder behind.
fn repair_png_checksums(bytes: &mut [u8]) {
    if Format::of_content(bytes) != Some(Format::Png) {
        return;
    }
    let mut at = 8;
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let end = at + 8 + u32::from_be_bytes(*len) as usize;
        if end + 4 > bytes.len() {
            return;
        }
        let checksum = crc32(&bytes[at + 4..end]).to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&checksum);
        at = end + 4;
    }
}

#[test]
fn headers_that_claim_65500_pixels_square_are_refused_in_milliseconds() {
    let at = |bytes: &[u8], pattern: &[u8]| bytes.windows(pattern.len()).position(|window| window == pattern).unwrap();
    let (big, little) = (65_500u16.to_be_bytes(), 65_500u16.to_le_bytes());
    let patched = |name: &str, place: &dyn Fn(&[u8]) -> usize, size: &[&[u8]]| {
        let mut bytes = fixture(name);
        let (place, size) = (place(&bytes), size.concat());
        bytes[place..place + size.len()].copy_from_slice(&size);
        bytes
    };
    let frame = |marker: u8| move |bytes: &[u8]| at(bytes, &[0xFF, marker]) + 5;
    let mut png = patched("type2_8bit.png", &|_| 16, &[&[0, 0], &big, &[0, 0], &big]);
    // A wrong checksum of the header would be what is refused.
    repair_png_checksums(&mut png);
    let bombs = [
        ("baseline JPEG", patched("baseline_420.jpg", &frame(0xC0), &[&big, &big])),
        ("progressive JPEG", patched("progressive_420.jpg", &frame(0xC2), &[&big, &big])),
        ("PNG", png),
        ("BMP", patched("mode_RGB.bmp", &|_| 18, &[&little, &[0, 0], &little, &[0, 0]])),
        ("GIF", patched("gray.gif", &|_| 6, &[&little, &little])),
    ];
    for (what, bytes) in bombs {
        for is_lenient in [false, true] {
            let (result, elapsed, peak) = decode(&bytes, is_lenient);
            assert!(matches!(&result, Err(ImageError::TooLarge(text)) if text.contains("65500")), "{what}: {result:?}");
            assert!(elapsed < Duration::from_millis(50) && peak < 1 << 20, "{what}: {elapsed:?}, {peak} bytes");
        }
    }
}

/// PNG's checksum, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 })
    })
}

#[test]
fn more_than_a_hundred_scans_are_refused_before_they_are_decoded() {
    let bytes = fixture("progressive_420.jpg");
    let scan = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let end = bytes.len() - 2;
    let scans = bytes.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
    let with_scans = |count: usize| [&bytes[..end], &bytes[scan..end].repeat(count - scans), &bytes[end..]].concat();
    for is_lenient in [false, true] {
        for count in [101, 1000] {
            let (result, elapsed, _) = decode(&with_scans(count), is_lenient);
            assert!(
                matches!(&result, Err(ImageError::TooLarge(text)) if text.contains("scans")),
                "{count}: {result:?}"
            );
            assert!(elapsed < Duration::from_millis(50), "{count}: {elapsed:?}");
        }
    }
}
