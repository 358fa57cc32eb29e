//! Keras's `model.summary()`, as Keras 3 prints it.

use std::fmt::Write;

use super::architecture::{Architecture, DataFormat};
use super::layer::LayerKind;
use crate::Shape;

/// Widths of the columns' text. With borders and padding a line has 80 characters, Keras's `line_length=80`.
const WIDTHS: [usize; 3] = [33, 24, 13];

/// The lines' ends and crossings: left, between columns, right; and what runs between them.
const TOP: [char; 4] = ['┏', '┳', '┓', '━'];
const BELOW_HEADER: [char; 4] = ['┡', '╇', '┩', '━'];
const BETWEEN_ROWS: [char; 4] = ['├', '┼', '┤', '─'];
const BOTTOM: [char; 4] = ['└', '┴', '┘', '─'];

/// The table that `model.summary(line_length=80)` of Keras 3 prints for `architecture`, its last newline included.
/// Sizes are those of float32 weights.
pub fn table(architecture: &Architecture) -> String {
    let mut text = format!("Model: \"{}\"\n", architecture.name);
    border(&mut text, TOP);
    row(&mut text, '┃', ["Layer (type)", "Output Shape", "Param #"]);
    for (index, layer) in architecture.layers.iter().enumerate() {
        border(&mut text, if index == 0 { BELOW_HEADER } else { BETWEEN_ROWS });
        let name = format!("{} ({})", layer.name, layer.kind.class_name());
        let (shape, params) = (architecture.shown(layer.output), with_commas(architecture.layer_params(index)));
        row(&mut text, '│', [&name, &shape, &params]);
    }
    border(&mut text, BOTTOM);
    let (all, frozen) = (architecture.params(), architecture.frozen_params());
    for (kind, count) in [("Total", all), ("Trainable", all - frozen), ("Non-trainable", frozen)] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, " {kind} params: {} ({})", with_commas(count), size(count));
    }
    text
}

impl Architecture {
    /// The number of weights, trainable or not.
    pub fn params(&self) -> usize {
        (0..self.layers.len()).map(|index| self.layer_params(index)).sum()
    }

    /// `shape` in the order of the model's own Keras.
    fn shown(&self, shape: Shape) -> String {
        match (shape, self.data_format) {
            (Shape::Map { h, w, c }, DataFormat::ChannelsFirst) => format!("(None, {c}, {h}, {w})"),
            _ => shape.to_string(),
        }
    }

    fn layer_params(&self, index: usize) -> usize {
        let parameters = self.layers[index].kind.parameters(self.input_of(index));
        parameters.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// All of the frozen layers, and of each normalisation its moving mean and variance.
    fn frozen_params(&self) -> usize {
        let frozen = self.layers.iter().enumerate().map(|(index, layer)| match layer.kind {
            _ if !layer.trainable => self.layer_params(index),
            LayerKind::BatchNormalization { .. } => 2 * layer.output.channels(),
            _ => 0,
        });
        frozen.sum()
    }
}

fn border(text: &mut String, [left, crossing, right, line]: [char; 4]) {
    for (index, width) in WIDTHS.into_iter().enumerate() {
        text.push(if index == 0 { left } else { crossing });
        text.extend(std::iter::repeat_n(line, width + 2));
    }
    text.push(right);
    text.push('\n');
}

/// One row of the table, of as many lines as its fullest cell needs; the last column is aligned to the right.
fn row(text: &mut String, line: char, cells: [&str; 3]) {
    let wrapped: [Vec<String>; 3] = std::array::from_fn(|column| wrap(cells[column], WIDTHS[column]));
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    for index in 0..height {
        let [name, shape, params] = wrapped.each_ref().map(|lines| lines.get(index).map_or("", String::as_str));
        let [name_width, shape_width, params_width] = WIDTHS;
        let _ = writeln!(
            text,
            "{line} {name:name_width$} {line} {shape:shape_width$} {line} {params:>params_width$} {line}"
        );
    }
}

/// Breaks at spaces; a word that is longer than a line ends with an ellipsis, as in Keras.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    for line in &mut lines {
        if line.chars().count() > width {
            *line = line.chars().take(width - 1).chain(['…']).collect();
        }
    }
    lines
}

/// `138,357,544`.
fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The size of `params` float32 weights as Keras writes it: `527.79 MB`, a MB being 2^20 bytes.
fn size(params: usize) -> String {
    let mut size = 4.0 * params as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} TB")
}
