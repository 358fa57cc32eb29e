//! Architecture JSON: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vgg_wgpu::keras::Architecture;

fuzz_target!(|text: &str| {
    if let Ok(architecture) = Architecture::from_json(text, "fuzzed") {
        let written = architecture.to_json();
        let again = Architecture::from_json(&written, "written").expect("what was written can be read");
        assert_eq!(again.to_json(), written);
    }
});
