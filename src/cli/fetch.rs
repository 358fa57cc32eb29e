//! `vgg-wgpu fetch`: Keras's published weights, into Keras's cache.

use std::time::Duration;

use vgg_wgpu::fetch::{Download, Fetched, fetch};
use vgg_wgpu::keras::cache;
use vgg_wgpu::{Error, Result};

use super::args::FetchArgs;
use super::exit::Outcome;
use super::interrupt;

/// The longest wait for the server.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A line of progress is written each time so many bytes have come.
const REPORTED_BYTES: u64 = 32 << 20;

pub fn run(args: FetchArgs) -> Result<Outcome> {
    let folder = cache::models_folder().ok_or_else(|| {
        Error::Usage("no home folder was found for Keras's cache; set KERAS_HOME to a folder of your choice".into())
    })?;
    let destination = folder.join(cache::VGG16_FILE);
    let download = Download {
        url: &args.url,
        destination: &destination,
        md5: cache::VGG16_MD5,
        max_bytes: cache::VGG16_MAX_BYTES,
        timeout: TIMEOUT,
        stop: interrupt::watch("what has come is thrown away"),
    };
    let mut reported = 0;
    let fetched = fetch(&download, |received, total| {
        if !args.quiet && received >= reported + REPORTED_BYTES {
            reported = received;
            let total = total.map_or_else(String::new, |total| format!(" of {}", total >> 20));
            super::say_always(&format!("{}{total} MiB", received >> 20));
        }
    })?;
    let done = match fetched {
        Fetched::AlreadyThere => "already there",
        Fetched::Downloaded => "downloaded",
        Fetched::Replaced => "had another MD5 and was downloaded again",
    };
    super::say_always(&format!("{}: {done}", destination.display()));
    Ok(Outcome::Complete)
}
