//! Names of classes, and which classes score highest.

use crate::{Error, Result};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Far above any labels file (ImageNet's is 35 KB), far below what would hurt.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Reads the names of `classes` classes, in the order of the network's output.
///
/// The file holds one name a line, or is Keras's `imagenet_class_index.json`: `{"0": ["n01440764", "tench"], …}`, of
/// which the second string is the name.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read; [`Error::Usage`] where it is neither form, or its number of names is
/// not `classes`.
pub fn read(path: &Path, classes: usize) -> Result<Vec<String>> {
    let mut text = String::new();
    let file = File::open(path).map_err(Error::io("open the labels", path))?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(Error::io("read the labels", path))?;
    let usage = |problem: String| Error::Usage(format!("the labels {}: {problem}", path.display()));
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(usage(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    let labels = if text.starts_with('{') { parse_class_index(text) } else { parse_lines(text) }.map_err(usage)?;
    if labels.len() != classes {
        return Err(usage(format!("{} labels, but the network's output has {classes} classes", labels.len())));
    }
    Ok(labels)
}

/// The names of classes that have none: `class 281`.
pub fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

/// The `k` highest of `scores` as (class, score), highest first; of equal scores the lower class first, NaN last.
pub fn top_k(scores: &[f32], k: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
    ranked.sort_by(|(class_a, a), (class_b, b)| {
        // Only two NaNs cannot be compared: of NaN and a number, the first comparison has decided.
        let by_score = || b.partial_cmp(a).unwrap_or(Ordering::Equal);
        a.is_nan().cmp(&b.is_nan()).then_with(by_score).then(class_a.cmp(class_b))
    });
    ranked.truncate(k);
    ranked
}

fn parse_lines(text: &str) -> Result<Vec<String>, String> {
    text.lines()
        .enumerate()
        .map(|(index, line)| match line.trim() {
            "" => Err(format!("line {} is empty, expected one label a line", index + 1)),
            label => Ok(label.to_owned()),
        })
        .collect()
}

fn parse_class_index(text: &str) -> Result<Vec<String>, String> {
    const EXPECTED: &str = r#"expected {"0": ["n01440764", "tench"], …}"#;
    let entries: BTreeMap<String, (String, String)> =
        serde_json::from_str(text).map_err(|e| format!("{e}; {EXPECTED}"))?;
    let mut labels = vec![None; entries.len()];
    for (key, (_, label)) in entries {
        let count = labels.len();
        let slot = key.parse().ok().and_then(|class: usize| labels.get_mut(class));
        let slot = slot.ok_or_else(|| format!("key {key:?} is no class of 0 to {}; {EXPECTED}", count - 1))?;
        if slot.replace(label).is_some() {
            return Err(format!("class {key} has two labels"));
        }
    }
    // As many entries as slots, and no slot filled twice: every slot is filled.
    Ok(labels.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, classes: usize) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path(), classes)
    }

    fn error(text: &str, classes: usize) -> String {
        match read_text(text, classes).unwrap_err() {
            Error::Usage(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_lines() {
        assert_eq!(read_text("tench\ngreat white shark\n", 2).unwrap(), ["tench", "great white shark"]);
        assert_eq!(read_text("\u{feff}tench\r\n goldfish \r\n\r\n", 2).unwrap(), ["tench", "goldfish"]);
    }

    #[test]
    fn reads_keras_class_index_by_number() {
        // As text, "10" sorts before "2".
        let entries: Vec<String> = (0..11).rev().map(|i| format!(r#""{i}": ["n{i}", "label {i}"]"#)).collect();
        let labels = read_text(&format!("{{{}}}", entries.join(",")), 11).unwrap();
        assert_eq!(labels, (0..11).map(|i| format!("label {i}")).collect::<Vec<_>>());
    }

    #[test]
    fn errors_say_what_was_found() {
        assert!(error("a\nb\n", 3).contains("2 labels, but the network's output has 3 classes"));
        assert!(error("", 3).contains("0 labels"));
        assert!(error("a\n\nb\n", 3).contains("line 2 is empty"));
        assert!(error(r#"{"0": ["n0", "a"], "2": ["n2", "b"]}"#, 2).contains("key \"2\" is no class of 0 to 1"));
        assert!(error(r#"{"0": ["n0", "a"], "00": ["n2", "b"]}"#, 2).contains("has two labels"));
        assert!(error(r#"{"0": "a"}"#, 1).contains("expected {\"0\": [\"n01440764\", \"tench\"]"));
        assert!(error("{", 1).contains("EOF"));
        assert!(error("{}", 1).contains("0 labels"));
        let missing = read(Path::new("no-such-labels.txt"), 1).unwrap_err();
        assert!(missing.to_string().contains("cannot open the labels: no-such-labels.txt"), "{missing}");
    }

    #[test]
    fn refuses_what_is_no_text_and_what_is_too_large() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0xff, 0xfe]).unwrap();
        assert!(matches!(read(file.path(), 1), Err(Error::Io { .. })));
        std::fs::write(file.path(), vec![b'a'; MAX_FILE_BYTES as usize + 1]).unwrap();
        assert!(matches!(read(file.path(), 1), Err(Error::Usage(text)) if text.contains("larger than")));
    }

    #[test]
    fn top_k_breaks_ties_by_class_and_puts_nan_last() {
        let nan = f32::NAN;
        let top = |scores: &[f32], k| top_k(scores, k).into_iter().map(|(class, _)| class).collect::<Vec<_>>();
        assert_eq!(top(&[0.1, 0.7, 0.2], 2), [1, 2]);
        assert_eq!(top(&[0.5, 0.5, 1.0, 0.5], 4), [2, 0, 1, 3]);
        assert_eq!(top(&[nan, f32::NEG_INFINITY, -nan, 0.0, -0.0, f32::INFINITY], 6), [5, 3, 4, 1, 0, 2]);
        assert_eq!(top(&[-0.0, 0.0], 5), [0, 1]);
        assert_eq!(top_k(&[0.25, 0.75], 1), [(1, 0.75)]);
    }

    #[test]
    fn classes_without_labels_have_their_number() {
        assert_eq!(numbered(282)[281], "class 281");
    }
}
