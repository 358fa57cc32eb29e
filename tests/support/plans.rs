//! What plans are made of in tests: limits, and the network they matter for.

use vgg_wgpu::keras::{Architecture, untrained};
use vgg_wgpu::ops::PreprocessMode;
use vgg_wgpu::plan::Limits;
use vgg_wgpu::{LayerChoice, Network};

/// What Mesa's lavapipe offers.
pub const LAVAPIPE: Limits = Limits {
    max_texture_side: 16384,
    max_texture_layers: 2048,
    max_workgroups: 65535,
    max_binding_bytes: 128 << 20,
    max_weights_bytes: 128 << 20,
    workgroup_rows: 1,
    max_workgroup_threads: 1024,
    max_workgroup_bytes: 32768,
    is_hardware: false,
    chunk_bytes: 4 << 20,
    broadcasts_between_threads: true,
};

/// VGG16 through fc2, from pixels; its weights are made when they are read.
pub fn vgg16() -> Network {
    let model = untrained::model(Architecture::vgg16(), 0);
    let model = model.truncate(&LayerChoice::Auto).expect("VGG16 has a softmax layer to drop");
    model.network(Some(PreprocessMode::Caffe)).expect("VGG16 lowers")
}
