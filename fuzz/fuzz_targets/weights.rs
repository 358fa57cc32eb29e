//! HDF5 weights, of the layout of any Keras, read to the last value.
#![no_main]

mod file;

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vgg_wgpu::Model;

const ARCHITECTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/keras/keras-3/mini_vgg.json");

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::open(Some(Path::new(ARCHITECTURE)), Some(&file::with_content(bytes))) {
        for parameter in model.parameters.iter().flatten() {
            let _ = parameter.load();
        }
    }
});
