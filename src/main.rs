//! The `vgg-wgpu` program: parse, run, report, exit.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cli::args::Cli::parse().command;
    match cli::run(command) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            cli::exit::code_of(&error)
        }
    }
}
