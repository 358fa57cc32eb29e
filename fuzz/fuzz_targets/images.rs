//! Images of every format. A lenient decoder accepts what a strict one does, with the same pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vgg_wgpu::images;

fuzz_target!(|bytes: &[u8]| {
    let lenient = images::decode_lenient(bytes);
    if let Ok(image) = images::decode(bytes) {
        assert!(lenient.is_ok_and(|lenient| lenient == image));
    }
});
