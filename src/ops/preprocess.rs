//! From 8-bit RGB pixels to the values a network was trained on, as `keras.applications.imagenet_utils` defines them.

use crate::{Shape, Tensor};

/// Keras's `preprocess_input(mode=)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreprocessMode {
    /// RGB to BGR, minus (103.939, 116.779, 123.68): VGG16's, and the default.
    #[default]
    Caffe,
    /// `x / 127.5 - 1`.
    Tf,
    /// `(x / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)`.
    Torch,
    /// The pixel values as they are, 0 to 255, in RGB.
    None,
}

/// The values that each 8-bit level of each channel becomes. A table makes every device compute the same bits, division
/// included, which GPUs need not round as NumPy does.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    /// For output channel `c`, the RGB channel it is made from.
    pub source: [usize; 3],
    /// For output channel `c`, the value of each level.
    pub table: [[f32; 256]; 3],
}

impl Preprocess {
    /// The table of a mode, in the float32 arithmetic, and its order, of Keras.
    pub fn new(mode: PreprocessMode) -> Preprocess {
        let source = if mode == PreprocessMode::Caffe { [2, 1, 0] } else { [0, 1, 2] };
        let value = |channel: usize, level: f32| match mode {
            PreprocessMode::Caffe => level - [103.939, 116.779, 123.68][channel],
            PreprocessMode::Tf => level / 127.5 - 1.0,
            PreprocessMode::Torch => (level / 255.0 - [0.485, 0.456, 0.406][channel]) / [0.229, 0.224, 0.225][channel],
            PreprocessMode::None => level,
        };
        let table = std::array::from_fn(|channel| std::array::from_fn(|level| value(channel, level as f32)));
        Preprocess { source, table }
    }

    /// Applies the table to `n` images, `pixels` being RGB `[n, h, w, 3]` and `shape` `[h, w, 3]`.
    pub fn apply(&self, pixels: &[u8], shape: Shape) -> Tensor {
        let mut data = Vec::with_capacity(pixels.len());
        for pixel in pixels.chunks_exact(3) {
            data.extend((0..3).map(|channel| self.table[channel][usize::from(pixel[self.source[channel]])]));
        }
        Tensor::new(pixels.len() / shape.len(), shape, data)
    }
}
