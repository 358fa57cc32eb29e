//! The preprocessing tables against Keras's own, which tests/fixtures/make_preprocess_golden.py wrote.

use vgg_wgpu::Shape;
use vgg_wgpu::ops::{Preprocess, PreprocessMode};

#[test]
fn every_level_of_every_mode_has_kerass_bits() {
    let golden: Vec<f32> = include_bytes!("fixtures/preprocess.f32")
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let modes = [PreprocessMode::Caffe, PreprocessMode::Tf, PreprocessMode::Torch];
    assert_eq!(golden.len(), modes.len() * 256 * 3);
    for (mode, expected) in modes.into_iter().zip(golden.chunks_exact(256 * 3)) {
        let table = Preprocess::new(mode).table;
        for (level, expected) in expected.chunks_exact(3).enumerate() {
            for channel in 0..3 {
                let found = table[channel][level];
                assert_eq!(found.to_bits(), expected[channel].to_bits(), "{mode:?}, level {level}, channel {channel}");
            }
        }
    }
}

#[test]
fn caffe_swaps_red_and_blue_and_the_others_do_not() {
    let pixel = |mode| Preprocess::new(mode).apply(&[10, 20, 30], Shape::Map { h: 1, w: 1, c: 3 });
    assert_eq!(pixel(PreprocessMode::None).data, [10.0, 20.0, 30.0]);
    assert_eq!(pixel(PreprocessMode::Caffe).data, [30.0 - 103.939, 20.0 - 116.779, 10.0 - 123.68]);
}
