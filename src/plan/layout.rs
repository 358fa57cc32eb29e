//! How activations lie in textures.

use crate::Shape;

use super::Limits;

/// The bytes of a texel: four f32.
pub const TEXEL_BYTES: usize = 16;

/// Bytes from one row of `width` texels to the next in a buffer that is copied to or from a texture.
pub fn row_bytes(width: usize) -> usize {
    (width * TEXEL_BYTES).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize)
}

/// Where one sample's values are in a `texture_2d_array` of four f32 a texel. A map keeps four channels of a pixel in the
/// texel at its column and row, `layers` layers a sample. A vector is a single layer, its quads row by row. The last quad
/// of channels is filled up with values that mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The sample's shape.
    pub shape: Shape,
    /// Texels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Layers of one sample.
    pub layers: usize,
}

/// The size of a texture, in texels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextureSize {
    pub width: usize,
    pub height: usize,
    pub layers: usize,
}

impl TextureSize {
    /// Bytes, without whatever padding a driver adds.
    pub fn bytes(self) -> u64 {
        self.width as u64 * self.height as u64 * self.layers as u64 * TEXEL_BYTES as u64
    }

    /// Whether an adapter takes it, in a buffer or a texture.
    pub(super) fn check(self, limits: &Limits) -> Result<(), String> {
        if limits.is_hardware {
            let (bytes, largest) = (self.bytes(), limits.max_binding_bytes);
            let problem = || format!("it needs a buffer of {bytes} bytes, the adapter's largest has {largest}");
            return if bytes > largest { Err(problem()) } else { Ok(()) };
        }
        let (side, layers) = (limits.max_texture_side, limits.max_texture_layers);
        if self.width > side || self.height > side || self.layers > layers {
            return Err(format!(
                "it needs a texture of {} x {} x {} layers, the adapter's limits are {side} x {side} x {layers}",
                self.width, self.height, self.layers
            ));
        }
        Ok(())
    }
}

impl Layout {
    /// The layout of samples of `shape`.
    pub fn of(shape: Shape, limits: &Limits) -> Layout {
        match shape {
            Shape::Map { h, w, c } => Layout { shape, width: w, height: h, layers: c.div_ceil(4) },
            Shape::Vector(len) => {
                let quads = len.div_ceil(4);
                let width = quads.min(limits.max_texture_side);
                Layout { shape, width, height: quads.div_ceil(width), layers: 1 }
            }
        }
    }

    /// Quads of channels: of a map's pixel, or of the whole vector.
    pub fn quads(self) -> usize {
        self.shape.channels().div_ceil(4)
    }

    /// Whether it is a vector's.
    pub fn is_vector(self) -> bool {
        matches!(self.shape, Shape::Vector(_))
    }

    /// The texture that holds `n` samples.
    pub fn texture(self, n: usize) -> TextureSize {
        TextureSize { width: self.width, height: self.height, layers: self.layers * n }
    }

    /// `values` `[n, shape]` as the texels of [`Layout::texture`], unused components zero.
    pub fn pack(self, values: &[f32]) -> Vec<f32> {
        let n = values.len() / self.shape.len();
        let mut texels = vec![0.0; n * self.layers * self.height * self.width * 4];
        for (sample, values) in values.chunks_exact(self.shape.len()).enumerate() {
            for (index, &value) in values.iter().enumerate() {
                texels[self.component(sample, index)] = value;
            }
        }
        texels
    }

    /// The reverse of [`Layout::pack`].
    pub fn unpack(self, n: usize, texels: &[f32]) -> Vec<f32> {
        (0..n)
            .flat_map(|sample| (0..self.shape.len()).map(move |index| texels[self.component(sample, index)]))
            .collect()
    }

    /// The place of a sample's `index`-th value, row-major, among the components of all texels.
    fn component(self, sample: usize, index: usize) -> usize {
        let (layer, texel, component) = match self.shape {
            Shape::Map { c, .. } => (index % c / 4, index / c, index % c % 4),
            Shape::Vector(_) => (0, index / 4, index % 4),
        };
        ((sample * self.layers + layer) * self.height * self.width + texel) * 4 + component
    }
}
