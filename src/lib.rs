//! Features of images from Keras VGG-style networks, on any GPU through wgpu or on the CPU.
//!
//! ```
//! use vgg_wgpu::device::{self, DeviceChoice};
//! use vgg_wgpu::extract::load_pixels;
//! use vgg_wgpu::images::Filter;
//! use vgg_wgpu::keras::{Architecture, untrained};
//! use vgg_wgpu::ops::PreprocessMode;
//! use vgg_wgpu::{Input, LayerChoice};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = untrained::model(Architecture::vgg16(), 0); // with real weights: Model::open(None, None)?
//! let network = model.truncate(&LayerChoice::Auto)?.network(Some(PreprocessMode::Caffe))?;
//! let size = network.image_size().expect("it preprocesses pixels");
//! let mut executor = device::select(&DeviceChoice::Auto)?.device.executor(network, None)?;
//! let pixels = load_pixels("photos/photo_0000.jpg".as_ref(), size, Filter::Nearest)?;
//! let features = executor.run(Input::Pixels(&pixels))?; // one image, or as many as fit max_batch()
//! assert_eq!(features.sample(0).len(), 4096);
//! # Ok(())
//! # }
//! ```
//!
//! # How the house is built
//!
//! Data flows from a folder to a file: [`images`] lists, decodes and resizes; an [`Executor`] computes;
//! [`output::journal`] keeps the features; [`mod@extract`] runs the three beside each other. What is computed comes from the
//! other side:
//!
//! | from | to | where |
//! |---|---|---|
//! | Keras JSON | an [`Architecture`](keras::Architecture): layers and their shapes | [`keras`] |
//! | Keras HDF5 | [`Parameter`]s: weights known by name and shape, read when asked for | [`keras`], [`parameter`] |
//! | both | a [`Model`], which can be truncated | [`keras`] |
//! | a model | a [`Network`]: a chain of [`Op`](ops::Op)s, identities gone, normalisations folded | [`network`], [`ops`] |
//! | a network and an adapter's limits | a plan: steps, arrays of texels and dispatches as plain data | [`plan`] |
//! | a network and what the user asks for | a device: of an integrated GPU and the CPU the faster one, where it was measured | [`device`] |
//! | a network and an adapter | the fastest method for each layer shape, measured once and kept, and the fastest batch | [`gpu::tuner`] |
//! | a network and a device's peaks | the least time that it takes | [`roofline`] |
//! | an executor | the time that batches and layers do take | [`profile`] |
//! | the outputs of two executors | how far they are apart | [`difference`] |
//! | a plan | compiled shaders and uploaded weights | [`gpu`], the only place that touches wgpu |
//! | a network | the native backend | [`cpu`] |
//! | a GPU that fails | the same batches on a smaller plan, then on the CPU | [`fallback`] |
//! | a network | the plain reference that accumulates in f64 | [`reference`](mod@reference), `reference()` of each op |
//!
//! [`output`] begins with an example of a whole run, and has these parts:
//!
//! | what | where |
//! |---|---|
//! | the files of a run, by name | [`output::files`] |
//! | what features are features of: model, weights, options, as digests | [`output::identity`] |
//! | features as they are computed, safe from whatever ends the run | [`output::journal`], `record.rs` (its bytes), `syncer.rs` |
//! | a complete journal becomes the output and the files beside it | [`output::finish`](mod@output::finish) |
//! | what an output was made from, image by image | [`output::provenance`] |
//! | images that are not in the output | [`output::failure`] |
//! | a finished output becomes the start of the next | [`output::resume`] |
//! | the pickle, written and read | [`output::pickle`], [`output::reader`] |
//!
//! An op has one stem everywhere: `src/ops/conv2d.rs` says what it means, `shaders/conv2d.wgsl` computes it on a GPU,
//! launched as `src/plan/step.rs` says, and `src/cpu/conv2d.rs` on the CPU. Most 3x3 convolutions take another algorithm,
//! with the stem `winograd` in the same places. There are two families of shaders for what takes the time: those that keep
//! results in registers, and for hardware, with `tiled` and `split` in their names, those that share operands in workgroup
//! memory ([`plan::Method`]). What several shaders share is in `shaders/parts` and `shaders/common.wgsl`. There too is what
//! makes several shaders of one file ([`plan::Shader`]): what all threads of a workgroup need is loaded by each of them or,
//! with `broadcast` in the part's name, handed from one to the others; Winograd's transforms are those of one size of tiles
//! or another ([`ops::winograd::Filtering`]), with or without the pool behind them. Texels, which have four values, are in
//! buffers on hardware, and in textures on rasterisers, whose memory is written by buffers (the parts `input`, `weights` and
//! `output`; [`plan::Texels`], `src/gpu/texture.rs`, `src/gpu/aliased.rs`): each is several times as slow with the other.
//! Tests run each op's cases on every backend (`tests/ops.rs`).
//!
//! Tensors are channels-last throughout ([`Shape`]), kernels are Keras's; where a backend needs another layout it
//! converts at load, one parameter at a time.

pub mod cpu;
pub mod device;
pub mod difference;
pub mod error;
pub mod executor;
pub mod extract;
pub mod fallback;
pub mod fetch;
pub mod gpu;
pub mod images;
pub mod keras;
pub mod labels;
pub mod network;
pub mod ops;
pub mod output;
mod pages;
pub mod parameter;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod reference;
pub mod roofline;
mod temporary_file;
pub mod tensor;

pub use error::{Error, Result};
pub use executor::{Executor, Input};
pub use keras::{LayerChoice, Model};
pub use network::{Network, Node};
pub use parameter::Parameter;
pub use tensor::{Shape, Tensor};
