//! The output file, and what lies beside it.
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use vgg_wgpu::extract::{ExtractOptions, extract};
//! use vgg_wgpu::images::{Filter, KeyKind, scan};
//! use vgg_wgpu::output::{Identity, Journal, OutputFiles, finish};
//! # use vgg_wgpu::{Executor, LayerChoice, Model, device, ops::PreprocessMode};
//! # fn main() -> vgg_wgpu::Result<()> {
//! # let model = Model::open(None, None)?.truncate(&LayerChoice::Auto)?;
//! # let network = model.network(Some(PreprocessMode::Caffe))?;
//! # let mut executor = device::select(&Default::default())?.device.executor(network.clone(), None)?;
//!
//! let dataset = scan("photos".as_ref(), KeyKind::Stem)?;
//! let files = OutputFiles::of("features.pkl".as_ref());
//! let options =
//!     ExtractOptions { filter: Filter::Nearest, threads: 4, lenient: false, max_failures: None, decoder: None };
//! let identity = Identity::of(&model, PreprocessMode::Caffe, &options, KeyKind::Stem)?;
//! let mut journal = Journal::open(&files, identity, &dataset, false)?; // goes on where an earlier run was ended
//! let stop = AtomicBool::new(false); // for a signal handler or another thread
//! let extraction = extract(&dataset, &network, executor.as_mut(), &mut journal, options, &stop, &mut |_| {})?;
//! finish(journal, &dataset, &extraction, &files, false, &stop)?;
//! # Ok(())
//! # }
//! ```

pub mod failure;
pub mod files;
pub mod finish;
pub mod identity;
pub mod journal;
mod lock;
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
