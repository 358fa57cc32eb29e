//! What was measured, kept in the user's cache folder: a file for each adapter, driver and version of this program.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::{fs, io};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use serde::{Deserialize, Serialize};

use crate::gpu::Adapter;
use crate::plan::{Choices, Method, Task};
use crate::temporary_file;

/// What was measured on an adapter.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The methods that were the fastest.
    pub choices: Choices,
    /// How many times the CPU's time it takes for a task.
    pub times_of_cpu: HashMap<Task, f64>,
}

/// A file's contents.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// What it was measured on; the file's name is a digest of it.
    measured_on: Machine,
    choices: Vec<(Task, Method)>,
    #[serde(default)]
    times_of_cpu: Vec<(Task, f64)>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Machine {
    adapter: String,
    program: String,
}

impl Machine {
    fn of(adapter: &Adapter) -> Machine {
        Machine { adapter: adapter.describe(), program: env!("CARGO_PKG_VERSION").into() }
    }

    /// None where the system has no cache folder for this user.
    fn path(&self) -> Option<PathBuf> {
        let digest = blake3::hash(format!("{}\n{}", self.adapter, self.program).as_bytes());
        let folder = choose_native_strategy().ok()?.cache_dir();
        Some(folder.join("vgg-wgpu").join(format!("tuning-{}.json", &digest.to_hex()[..16])))
    }
}

/// What was measured on this adapter before.
pub fn read(adapter: &Adapter, notice: &mut dyn FnMut(&str)) -> Measured {
    let machine = Machine::of(adapter);
    let Some(path) = machine.path() else { return Measured::default() };
    let kept = fs::read(&path).and_then(|text| serde_json::from_slice::<Kept>(&text).map_err(io::Error::other));
    match kept {
        Ok(kept) if kept.measured_on == machine => Measured {
            choices: Choices(kept.choices.into_iter().collect()),
            times_of_cpu: kept.times_of_cpu.into_iter().collect(),
        },
        Ok(_) => Measured::default(),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Measured::default(),
        Err(problem) => {
            notice(&format!("the tuning of {} is not used: {problem}", path.display()));
            Measured::default()
        }
    }
}

/// Keeps it for the next run.
pub fn write(adapter: &Adapter, measured: &Measured, notice: &mut dyn FnMut(&str)) {
    let measured_on = Machine::of(adapter);
    let Some(path) = measured_on.path() else { return };
    let mut choices: Vec<_> = measured.choices.0.iter().map(|(task, &method)| (task.clone(), method)).collect();
    choices.sort();
    let times_of_cpu = measured.times_of_cpu.iter().map(|(task, &times)| (task.clone(), times)).collect();
    let kept = Kept { measured_on, choices, times_of_cpu };
    let text = serde_json::to_vec_pretty(&kept).expect("it is plain data");
    let written = || -> io::Result<()> {
        fs::create_dir_all(path.parent().expect("a file in a folder"))?;
        let mut file = temporary_file::beside(&path)?;
        file.write_all(&text)?;
        file.persist(&path).map_err(|problem| problem.error)?;
        Ok(())
    };
    if let Err(problem) = written() {
        notice(&format!("the tuning cannot be kept in {}, and will be measured again: {problem}", path.display()));
    }
}
