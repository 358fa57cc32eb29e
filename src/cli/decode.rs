//! `vgg-wgpu decode`, which is not for people: `extract` starts it to decode its images.

use std::process;

use vgg_wgpu::Result;
use vgg_wgpu::images::decoder::serve;

use super::args::DecodeArgs;
use super::exit::Outcome;

/// The command that starts it.
pub fn command() -> process::Command {
    let mut command = process::Command::new(std::env::current_exe().unwrap_or_else(|_| "vgg-wgpu".into()));
    command.arg("decode");
    command
}

pub fn run(args: DecodeArgs) -> Result<Outcome> {
    // A terminal and a service manager send theirs to every process there is, and `extract` decides what becomes of it.
    let _ = ctrlc::set_handler(|| {});
    // Whoever is at the other end knows what happened: it has ended, or sees that this process has.
    let _ = serve(std::io::stdin().lock(), std::io::stdout().lock(), args.max_seconds);
    Ok(Outcome::Complete)
}
