//! Whole models, .keras archives above all, read to the last value.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use vgg_wgpu::Model;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::open(Some(&file::with_content(bytes)), None) {
        for parameter in model.parameters.iter().flatten() {
            let _ = parameter.load();
        }
    }
});
