//! `vgg-wgpu init`: the course's `generate_vgg16()`, exported with untrained weights.

use vgg_wgpu::Result;
use vgg_wgpu::keras::{Architecture, export, untrained};

use super::args::InitArgs;
use super::exit::Outcome;
use super::interrupt;

pub fn run(args: InitArgs) -> Result<Outcome> {
    // Files that are half written would stay under names that nobody looks for.
    interrupt::watch("the files are finished first");
    let model = untrained::model(Architecture::vgg16(), args.seed);
    for path in export::write(&model, &args.folder, args.overwrite)? {
        super::say_always(&format!("wrote {}", path.display()));
    }
    super::say_always(&format!("the weights are untrained (seed {}): features made with them mean nothing", args.seed));
    Ok(Outcome::Complete)
}
