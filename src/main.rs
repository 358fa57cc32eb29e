//! The `vgg-wgpu` program: parse, run, report, exit.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // SAFETY: no other thread runs yet. Mesa's layer that this turns off sorts GPUs by the display they drive, and where
    // there is no display it prints an error on every start; which GPU is taken is decided here all the same.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    let command = cli::args::Cli::parse().command;
    match cli::run(command) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            cli::exit::code_of(&error)
        }
    }
}
