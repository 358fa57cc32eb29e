//! Exit codes: one home for what each number means.

use std::process::ExitCode;

use vgg_wgpu::Error;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All good.
    Complete,
    /// The output is there, but some images are not in it, or not as they should be.
    SomeImagesFailed,
    /// A check that ran to its end and found what it looks for.
    CheckFailed,
}

impl Outcome {
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Complete => 0,
            Outcome::CheckFailed => 1,
            Outcome::SomeImagesFailed => 3,
        })
    }
}

/// The exit code of a command that was told to stop: what shells give for a program that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// The exit code of a failure.
pub fn code_of(error: &Error) -> ExitCode {
    ExitCode::from(number_of(error))
}

fn number_of(error: &Error) -> u8 {
    match error {
        Error::Usage(_) => 2,
        Error::Device(_) => 5,
        Error::Model { .. } => 6,
        Error::Stopped => INTERRUPTED,
        // I/O, and whatever kind the library may gain.
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_code() {
        let io = Error::io("read", "x")(std::io::Error::other("broken"));
        let kinds =
            [io, Error::Usage("u".into()), Error::Device("d".into()), Error::model("m.h5", "p"), Error::Stopped];
        assert_eq!(kinds.each_ref().map(number_of), [1, 2, 5, 6, 130]);
    }
}
