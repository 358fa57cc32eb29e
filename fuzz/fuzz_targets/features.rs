//! Features files. What is an entry has as many values as its shape says.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use vgg_wgpu::output::FeaturesReader;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = FeaturesReader::open(&file::with_content(bytes)) else { return };
    while let Ok(Some(entry)) = reader.next_entry() {
        if let Ok(values) = reader.values(&entry) {
            assert_eq!(values.len(), entry.shape().iter().product::<usize>());
        }
    }
});
