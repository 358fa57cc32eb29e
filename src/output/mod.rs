//! The output file, and what lies beside it.

pub mod failure;
pub mod files;
pub mod finish;
pub mod identity;
pub mod journal;
mod opcode;
pub mod pickle;
pub mod provenance;
pub mod reader;
mod record;
pub mod resume;
mod syncer;
mod unpickler;

pub use failure::{Failure, FailureKind};
pub use files::OutputFiles;
pub use finish::finish;
pub use identity::{Digest, Identity};
pub use journal::Journal;
pub use pickle::FeaturesWriter;
pub use provenance::Session;
pub use reader::FeaturesReader;
