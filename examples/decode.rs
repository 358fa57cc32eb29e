//! Decodes the files named on standard input, one a line, and prints for each `ok WIDTH HEIGHT MD5 MILLISECONDS` or
//! `error KIND REASON`: what scripts/compare_with_pillow.py compares. With an argument `WIDTHxHEIGHT:FILTER` the MD5 is
//! that of the resized image; with `lenient`, truncated files are accepted.

use std::fmt::Write;
use std::io::{self, BufRead};
use std::path::Path;
use std::time::Instant;

use md5::{Digest, Md5};
use vgg_wgpu::images::{self, Filter, ImageError, RgbImage};

fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1);
    let is_lenient = argument.as_deref() == Some("lenient");
    let load = if is_lenient { images::load_lenient } else { images::load };
    let target = argument.filter(|_| !is_lenient).map(|argument| parse_target(&argument)).transpose()?;
    for line in io::stdin().lock().lines() {
        let start = Instant::now();
        match load(Path::new(&line?)) {
            Ok(image) => {
                let image = match target {
                    Some((width, height, filter)) => images::resize(&image, width, height, filter),
                    None => image,
                };
                let seconds = start.elapsed().as_secs_f64();
                println!("ok {} {} {} {:.3}", image.width, image.height, digest(&image), seconds * 1e3);
            }
            Err(error) => println!("error {} {}", kind(&error), error.to_string().escape_debug()),
        }
    }
    Ok(())
}

fn parse_target(argument: &str) -> anyhow::Result<(usize, usize, Filter)> {
    let parts: Vec<&str> = argument.split([':', 'x']).collect();
    let [width, height, filter] = parts[..] else { anyhow::bail!("{argument}: expected WIDTHxHEIGHT:FILTER") };
    let filter = match filter {
        "nearest" => Filter::Nearest,
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        other => anyhow::bail!("{other}: expected nearest, bilinear, bicubic or lanczos"),
    };
    Ok((width.parse()?, height.parse()?, filter))
}

fn digest(image: &RgbImage) -> String {
    Md5::digest(&image.pixels).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

fn kind(error: &ImageError) -> &'static str {
    match error {
        ImageError::Io(_) => "io",
        ImageError::NotAnImage(_) => "not-an-image",
        ImageError::Unsupported(_) => "unsupported",
        ImageError::Damaged(_) => "damaged",
        ImageError::TooLarge(_) => "too-large",
        ImageError::Crashed(_) => "crashed",
    }
}
