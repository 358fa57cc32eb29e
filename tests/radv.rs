//! The shaders as an AMD GPU would run them, without one: Mesa's RADV compiles for a chip that is not there and says what
//! it made. The table of `tests/radv/navi21.txt` is a guard against a change that costs registers, spills or occupancy on
//! hardware that nobody here can run; it is a prediction, not a measurement.
//!
//! `VGG_WGPU_BLESS=1 cargo test --test radv` writes the table anew.

#[path = "radv/device.rs"]
mod device;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use device::{Null, Statistics};
use libtest_mimic::{Arguments, Failed, Trial};
use vgg_wgpu::plan::Shader;

/// A Radeon RX 6800 XT: RDNA 2.
const CHIP: &str = "navi21";

fn main() -> ExitCode {
    if std::env::var("RADV_FORCE_FAMILY").is_err() {
        return with_null_device();
    }
    let trials = vec![Trial::test("shaders_compile_for_navi21_as_the_table_says", compare)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Starts this program again: the driver reads its settings when it is loaded.
fn with_null_device() -> ExitCode {
    let driver = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].into_iter().find_map(|folder| {
        let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        files.into_iter().find(|path| path.to_string_lossy().contains("radeon_icd"))
    });
    let skip = std::env::var_os("VGG_WGPU_SKIP_GPU_TESTS").is_some_and(|value| value == "1");
    let Some(driver) = driver else {
        let missing = || Err(Failed::from("no RADV driver: install mesa-vulkan-drivers"));
        let trial = Trial::test("shaders_compile_for_navi21_as_the_table_says", missing).with_ignored_flag(skip);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    };
    let mut again = Command::new(std::env::current_exe().expect("this test is a file"));
    again.args(std::env::args_os().skip(1)).env("RADV_FORCE_FAMILY", CHIP);
    again.env("VK_ICD_FILENAMES", &driver).env("VK_DRIVER_FILES", &driver).env("MESA_SHADER_CACHE_DISABLE", "true");
    let status = again.status().expect("this test starts again");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn compare() -> Result<(), Failed> {
    let null = Null::open();
    let shaders = Shader::all().into_iter().filter(|shader| !shader.needs_broadcasts());
    let statistics: Vec<_> = shaders.map(|shader| (shader.to_string(), null.compile(shader))).collect();
    for (name, statistics) in &statistics {
        if statistics.spilled > 0 || statistics.scratch_bytes > 0 {
            return Err(format!("{name} spills registers: {statistics:?}").into());
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/radv").join(format!("{CHIP}.txt"));
    let found = table(&null.driver, &statistics);
    if std::env::var_os("VGG_WGPU_BLESS").is_some() {
        std::fs::write(&path, &found)?;
    }
    let expected = std::fs::read_to_string(&path)?;
    let version = |table: &str| table.lines().next().map(str::to_owned);
    if version(&expected) != version(&found) {
        // Another compiler, other numbers; that nothing spills was still checked.
        println!("the table is of {:?}, this is {:?}", version(&expected), version(&found));
        return Ok(());
    }
    if expected != found {
        return Err(
            format!("{}:\n{expected}\nnow:\n{found}\nVGG_WGPU_BLESS=1 keeps the new one", path.display()).into()
        );
    }
    Ok(())
}

fn table(driver: &str, rows: &[(String, Statistics)]) -> String {
    let mut text = format!("{driver}, predicted for {CHIP}, workgroups of 8 x {}\n", device::WORKGROUP_ROWS);
    text += "shader                          VGPRs  waves  LDS bytes  instructions  fma share\n";
    for (name, s) in rows {
        let Statistics { vgprs, waves, lds_bytes, instructions, fma_percent, .. } = s;
        writeln!(text, "{name:30} {vgprs:6} {waves:6} {lds_bytes:10} {instructions:13} {fma_percent:8} %").unwrap();
    }
    text
}
