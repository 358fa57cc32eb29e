//! `vgg-wgpu inspect`: what is in a features file, whoever wrote it.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use vgg_wgpu::Result;
use vgg_wgpu::output::provenance::MAX_LINE_BYTES;
use vgg_wgpu::output::{FeaturesReader, OutputFiles};

use super::args::InspectArgs;
use super::exit::Outcome;

/// How many keys are shown.
const FIRST_KEYS: usize = 5;

/// As `--json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    file_bytes: u64,
    entries: usize,
    dtype: &'static str,
    /// The first entry's.
    shape: Vec<usize>,
    entries_of_other_shapes: usize,
    nan_values: u64,
    infinite_values: u64,
    entries_with_nan_or_infinite_values: usize,
    all_zero_entries: usize,
    /// Each key's bytes above those of the key before, so that none occurs twice.
    keys_sorted: bool,
    keys_that_repeat_the_one_before: usize,
    first_keys: Vec<String>,
    /// The first line of the provenance file beside it.
    provenance: Option<serde_json::Map<String, serde_json::Value>>,
    /// What a features file should not have.
    problems: Vec<String>,
}

/// What the values of one entry come to.
#[derive(Default)]
struct Values {
    nan: u64,
    infinite: u64,
    any_nonzero: bool,
}

impl Values {
    fn add(&mut self, values: &[f32]) {
        for value in values {
            self.nan += u64::from(value.is_nan());
            self.infinite += u64::from(value.is_infinite());
            self.any_nonzero |= *value != 0.0;
        }
    }
}

pub fn run(args: InspectArgs) -> Result<Outcome> {
    let mut report = read(&args.file)?;
    let provenance = OutputFiles::of(&args.file).provenance;
    match first_line(&provenance) {
        Ok(line) => report.provenance = line,
        Err(problem) => report.problems.push(format!("{}: {problem}", provenance.display())),
    }
    if args.json {
        super::print_line(serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        super::print_line(&report)?;
    }
    Ok(if report.problems.is_empty() { Outcome::Complete } else { Outcome::SomeImagesFailed })
}

fn read(path: &Path) -> Result<Report> {
    let mut reader = FeaturesReader::open(path)?;
    let mut report = Report {
        file: path.display().to_string(),
        file_bytes: reader.file_bytes(),
        entries: 0,
        dtype: "float32",
        shape: Vec::new(),
        entries_of_other_shapes: 0,
        nan_values: 0,
        infinite_values: 0,
        entries_with_nan_or_infinite_values: 0,
        all_zero_entries: 0,
        keys_sorted: true,
        keys_that_repeat_the_one_before: 0,
        first_keys: Vec::new(),
        provenance: None,
        problems: Vec::new(),
    };
    let mut key_before = None;
    while let Some(entry) = reader.next_entry()? {
        let mut values = Values::default();
        reader.visit_values(&entry, |part| values.add(part))?;
        report.add(entry.shape(), &values);
        report.add_key(&entry.key, key_before.as_deref());
        key_before = Some(entry.key);
    }
    report.problems = report.problems();
    Ok(report)
}

impl Report {
    fn add(&mut self, shape: &[usize], values: &Values) {
        if self.entries == 0 {
            self.shape = shape.to_vec();
        }
        self.entries += 1;
        self.entries_of_other_shapes += usize::from(shape != self.shape);
        self.nan_values += values.nan;
        self.infinite_values += values.infinite;
        self.entries_with_nan_or_infinite_values += usize::from(values.nan + values.infinite > 0);
        self.all_zero_entries += usize::from(!values.any_nonzero);
    }

    fn add_key(&mut self, key: &str, before: Option<&str>) {
        self.keys_sorted &= before.is_none_or(|before| before < key);
        self.keys_that_repeat_the_one_before += usize::from(before == Some(key));
        if self.first_keys.len() < FIRST_KEYS {
            self.first_keys.push(key.to_owned());
        }
    }

    fn problems(&self) -> Vec<String> {
        let broken = self.entries_with_nan_or_infinite_values;
        let (other, zero, twice) =
            (self.entries_of_other_shapes, self.all_zero_entries, self.keys_that_repeat_the_one_before);
        [
            (self.entries == 0, "it has no entries".to_owned()),
            (
                broken > 0,
                format!("{broken} entries have NaN or infinite values: the weights are damaged, or the device"),
            ),
            (zero > 0, format!("{zero} entries are all zero: no layer of a trained network gives that for a photo")),
            (other > 0, format!("{other} entries have another shape than the first: not one layer wrote them")),
            (twice > 0, format!("{twice} keys occur twice: Python keeps the last entry of each")),
        ]
        .into_iter()
        .filter_map(|(is_so, problem)| is_so.then_some(problem))
        .collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { entries, dtype, shape, nan_values, infinite_values, all_zero_entries, .. } = self;
        writeln!(f, "file:        {}, {} bytes", self.file, self.file_bytes)?;
        writeln!(f, "entries:     {entries}, {dtype}, of shape {shape:?}")?;
        writeln!(f, "values:      {nan_values} NaN, {infinite_values} infinite; {all_zero_entries} entries all zero")?;
        let sorted = if self.keys_sorted { "yes, so none occurs twice" } else { "no" };
        writeln!(f, "keys sorted: {sorted}")?;
        writeln!(f, "first keys:  {:?}", self.first_keys)?;
        for (name, value) in self.provenance.iter().flatten() {
            writeln!(f, "provenance:  {}: {value}", name.escape_debug())?;
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM:     {problem}")?;
        }
        f.write_str(if self.problems.is_empty() { "nothing is wrong with it" } else { "see the problems above" })
    }
}

/// The object in the first line, nothing where there is no file, or what is wrong with it.
fn first_line(path: &Path) -> Result<Option<serde_json::Map<String, serde_json::Value>>, String> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LINE_BYTES).read_to_end(&mut start));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line).map(Some).map_err(|error| format!("its first line is no JSON object: {error}"))
}
