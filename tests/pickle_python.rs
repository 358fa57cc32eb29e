//! features.pkl, loaded by real Python and NumPy, with warnings as errors.
//!
//! `VGG_WGPU_PYTHON` names a Python that has NumPy (default: `python3`). Without one the tests fail, unless
//! `VGG_WGPU_SKIP_PYTHON_TESTS=1` is set: then they show as ignored. `tests/python_matrix.sh` runs them with every
//! Python on the machine.

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::{Command, ExitCode};
use vgg_wgpu::output::FeaturesWriter;

const COUNT: usize = 40;
const LEN: usize = 4096;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let skip = std::env::var_os("VGG_WGPU_SKIP_PYTHON_TESTS").is_some_and(|value| value == "1");
    let tests = vec![
        Trial::test("loads_as_what_python_pickles_itself", loads_as_what_python_pickles_itself),
        Trial::test("loads_when_cut_after_any_image", loads_when_cut_after_any_image),
        Trial::test("loads_without_images", loads_without_images),
    ];
    let tests = tests.into_iter().map(|test| test.with_ignored_flag(skip)).collect();
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn loads_as_what_python_pickles_itself() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("features.pkl");
    write_features(&path, COUNT)?;
    check(&["whole", path.to_str().unwrap(), &COUNT.to_string(), &LEN.to_string()])
}

fn loads_when_cut_after_any_image() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("features.pkl");
    // Keys of one length make records of one length, which three sizes of whole files give away.
    let [none, one, all] = [0, 1, COUNT].map(|count| write_features(&path, count).map_err(|e| e.to_string()));
    let (head, record, size) = (none.clone()? - 1, one? - none?, all?);
    assert_eq!(size, head + COUNT as u64 * record + 1);
    let (head, record) = (head.to_string(), record.to_string());
    check(&["cut", path.to_str().unwrap(), &COUNT.to_string(), &LEN.to_string(), &head, &record])
}

fn loads_without_images() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("features.pkl");
    write_features(&path, 0)?;
    let python = python();
    let load = "import pickle, sys; assert pickle.load(open(sys.argv[1], 'rb')) == {}";
    run(Command::new(&python).args(["-c", load]).arg(&path))
}

/// Writes what `expected_dict` of `check_features.py` describes, and returns the file's size.
fn write_features(path: &Path, count: usize) -> vgg_wgpu::Result<u64> {
    let mut writer = FeaturesWriter::create(path, &[1, LEN], true)?;
    for image in 0..count {
        let mut values: Vec<f32> = (0..LEN).map(|i| (image * LEN + i) as f32 / 4.0).collect();
        if image == 0 {
            values[..5].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-45]);
        }
        writer.write(&format!("image{image:04}"), &values)?;
    }
    Ok(writer.finish()?.bytes)
}

fn python() -> String {
    std::env::var("VGG_WGPU_PYTHON").unwrap_or_else(|_| "python3".into())
}

fn check(arguments: &[&str]) -> Result<(), Failed> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_features.py");
    run(Command::new(python()).args(["-W", "error"]).arg(script).args(arguments))
}

fn run(command: &mut Command) -> Result<(), Failed> {
    let help = "name a Python that has NumPy in VGG_WGPU_PYTHON, or set VGG_WGPU_SKIP_PYTHON_TESTS=1 to go without";
    let output = command.output().map_err(|e| format!("cannot run {:?}: {e}; {help}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let help = if stderr.contains("No module named 'numpy'") { help } else { "" };
    Err(format!("{command:?} failed ({}) {help}\n{stderr}", output.status).into())
}
