//! `vgg-wgpu classify`: the whole network's five most probable classes of each image.

use vgg_wgpu::extract::load_pixels;
use vgg_wgpu::gpu::tuner::TuneMode;
use vgg_wgpu::labels::{self, top_k};
use vgg_wgpu::{Error, Input, Result};

use super::args::ClassifyArgs;
use super::exit::Outcome;

const SHOWN: usize = 5;

pub fn run(args: ClassifyArgs) -> Result<Outcome> {
    let model = super::open_model(&args.model)?;
    let network = model.network(Some(args.images.preprocess.into()))?;
    let classes = network.output().len();
    let labels = match &args.labels {
        Some(path) => labels::read(path, classes)?,
        None => labels::numbered(classes),
    };
    let size = network.image_size().ok_or_else(|| Error::Usage("this network takes values, not images".into()))?;
    let (mut executor, device) = super::executor(&args.device, network, TuneMode::Cached)?;
    super::say_always(&device);
    let mut outcome = Outcome::Complete;
    for path in &args.files {
        let pixels = match load_pixels(path, size, args.images.resize.into()) {
            Ok(pixels) => pixels,
            Err(error) => {
                super::say_always(&format!("failed: {}: {error}", path.display()));
                outcome = Outcome::SomeImagesFailed;
                continue;
            }
        };
        let probabilities = executor.run(Input::Pixels(&pixels))?.data;
        super::print_line(path.display())?;
        for (class, probability) in top_k(&probabilities, SHOWN) {
            super::print_line(format_args!("  {:6.2} %  {}", probability * 100.0, labels[class]))?;
        }
    }
    Ok(outcome)
}
