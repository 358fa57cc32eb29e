//! `vgg-wgpu summary`: Keras's table of layers.

use vgg_wgpu::Result;
use vgg_wgpu::keras::{Architecture, summary};

use super::args::SummaryArgs;
use super::exit::Outcome;

pub fn run(args: SummaryArgs) -> Result<Outcome> {
    let model = super::open_model(&args.model)?;
    let architecture: Architecture = match &args.layer {
        Some(layer) => model.truncate(layer)?.architecture,
        None => model.architecture,
    };
    super::print_line(summary::table(&architecture).trim_end())?;
    Ok(Outcome::Complete)
}
