//! Pillow's `Image.resize`, to the bit: the arithmetic of version 13.0.

use std::f64::consts::PI;

use super::RgbImage;

/// Pillow's resampling filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// `Image.NEAREST`: the default here, as it is in `keras.preprocessing.image.load_img`.
    #[default]
    Nearest,
    /// `Image.BILINEAR`, which like the next two averages over all that a pixel covers where it shrinks.
    Bilinear,
    /// `Image.BICUBIC`.
    Bicubic,
    /// `Image.LANCZOS`.
    Lanczos,
}

/// Resizes to `width` x `height`, both at least 1, without keeping the aspect ratio.
pub fn resize(image: &RgbImage, width: usize, height: usize, filter: Filter) -> RgbImage {
    assert!(width > 0 && height > 0, "an image of {width} x {height} pixels");
    match filter {
        Filter::Nearest => nearest(image, width, height),
        Filter::Bilinear => resample(image, width, height, 1.0, bilinear),
        Filter::Bicubic => resample(image, width, height, 2.0, bicubic),
        Filter::Lanczos => resample(image, width, height, 3.0, lanczos),
    }
}

fn nearest(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let columns = nearest_sources(image.width, width);
    let sources = image.pixels.as_chunks::<3>().0;
    let mut pixels = vec![[0; 3]; width * height];
    for (pixels, row) in pixels.chunks_exact_mut(width).zip(nearest_sources(image.height, height)) {
        let source = &sources[row * image.width..][..image.width];
        pixels.iter_mut().zip(&columns).for_each(|(pixel, &column)| *pixel = source[column]);
    }
    RgbImage::new(width, height, pixels.into_flattened())
}

/// For each output position, the source position that Pillow takes. It adds up the step instead of multiplying, and the
/// sum's rounding errors move some positions by one (20 of 224 for a source of 320 or 640).
fn nearest_sources(source: usize, output: usize) -> Vec<usize> {
    let step = source as f64 / output as f64;
    let mut position = step * 0.5;
    (0..output)
        .map(|_| {
            let index = position as usize;
            position += step;
            index.min(source - 1)
        })
        .collect()
}

/// Fraction bits of the fixed-point weights: 32, less 8 for the result and 2 for weights below 0 and sums above 1.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// The weights of the source positions that one output position is made from.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// One pass for each dimension that changes, with 8-bit values between them. Pillow 13 takes the vertical one first
/// where the height shrinks by more than twice as many pixels as the width; before, the horizontal one always came first.
fn resample(image: &RgbImage, width: usize, height: usize, support: f64, kernel: fn(f64) -> f64) -> RgbImage {
    let shrinkage = |from: usize, to: usize| from as i64 - to as i64;
    let (rows, columns) = (shrinkage(image.height, height), shrinkage(image.width, width));
    let horizontal = |image: &RgbImage| match columns {
        0 => image.clone(),
        _ => resample_rows(image, &windows(image.width, width, support, kernel)),
    };
    let vertical = |image: &RgbImage| match rows {
        0 => image.clone(),
        _ => resample_columns(image, &windows(image.height, height, support, kernel)),
    };
    if rows > 0 && rows > 2 * columns { horizontal(&vertical(image)) } else { vertical(&horizontal(image)) }
}

fn resample_rows(image: &RgbImage, windows: &[Window]) -> RgbImage {
    let mut pixels = Vec::with_capacity(image.height * windows.len() * 3);
    for row in image.pixels.chunks_exact(image.width * 3) {
        for window in windows {
            let mut sums = [HALF; 3];
            for (pixel, weight) in row[window.start * 3..].chunks_exact(3).zip(&window.weights) {
                for channel in 0..3 {
                    sums[channel] += i32::from(pixel[channel]) * weight;
                }
            }
            pixels.extend(sums.map(to_level));
        }
    }
    RgbImage::new(windows.len(), image.height, pixels)
}

fn resample_columns(image: &RgbImage, windows: &[Window]) -> RgbImage {
    let stride = image.width * 3;
    let mut pixels = Vec::with_capacity(windows.len() * stride);
    for window in windows {
        let mut sums = vec![HALF; stride];
        for (row, weight) in image.pixels[window.start * stride..].chunks_exact(stride).zip(&window.weights) {
            for (sum, &level) in sums.iter_mut().zip(row) {
                *sum += i32::from(level) * weight;
            }
        }
        pixels.extend(sums.into_iter().map(to_level));
    }
    RgbImage::new(image.width, windows.len(), pixels)
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn to_level(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`: `support` is how far from its centre `kernel` reaches.
fn windows(source: usize, output: usize, support: f64, kernel: fn(f64) -> f64) -> Vec<Window> {
    let scale = source as f64 / output as f64;
    let stretch = scale.max(1.0);
    let (support, shrink) = (support * stretch, 1.0 / stretch);
    let window = |index: usize| {
        let center = (index as f64 + 0.5) * scale;
        let start = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(source);
        let weights: Vec<f64> =
            (0..end - start).map(|offset| kernel(((offset + start) as f64 - center + 0.5) * shrink)).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| {
            let scaled = (if sum == 0.0 { *weight } else { weight / sum }) * f64::from(1 << PRECISION_BITS);
            (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
        };
        Window { start, weights: weights.iter().map(fixed).collect() }
    };
    (0..output).map(window).collect()
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Keys's cubic convolution with `a = -0.5`.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}
