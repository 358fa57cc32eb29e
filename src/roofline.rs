//! What a network asks of a device, layer by layer, and the least time that a device of given peaks needs for it: the
//! roofline model (Williams, Waterman and Patterson 2009). A prediction, to hold measurements against.

use crate::{Network, Shape};

/// What a device can do at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// f32 operations, a multiply-add counted as two, in 10^12 a second.
    pub tflops: f64,
    /// Memory traffic in 10^9 bytes a second.
    pub gb_per_s: f64,
}

/// What limits a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Arithmetic,
    Memory,
}

/// What one layer asks for, for a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCost {
    /// The node's layer.
    pub layer: String,
    /// The shape of one output sample.
    pub output: Shape,
    /// Operations of the direct algorithm: Winograd's needs fewer, and may beat this roof.
    pub flops: u64,
    /// f32 input and output of the batch, and weights, each moved once.
    pub bytes: u64,
}

/// The costs of `batch` samples.
pub fn costs(network: &Network, batch: usize) -> Vec<LayerCost> {
    let cost = |node: &crate::Node| LayerCost {
        layer: node.layer.clone(),
        output: node.output,
        flops: batch as u64 * node.op.flops(node.input),
        bytes: 4 * (batch * (node.input.len() + node.output.len()) + node.op.weights()) as u64,
    };
    network.nodes.iter().map(cost).collect()
}

impl LayerCost {
    /// Operations for each byte.
    pub fn intensity(&self) -> f64 {
        self.flops as f64 / self.bytes as f64
    }

    /// The least seconds, and what they are spent on.
    pub fn seconds(&self, peak: Peak) -> (f64, Bound) {
        let arithmetic = self.flops as f64 / (peak.tflops * 1e12);
        let memory = self.bytes as f64 / (peak.gb_per_s * 1e9);
        if arithmetic > memory { (arithmetic, Bound::Arithmetic) } else { (memory, Bound::Memory) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keras::{Architecture, LayerChoice, untrained};
    use crate::ops::PreprocessMode;

    #[test]
    fn vgg16_costs_what_is_known_of_it() {
        let model = untrained::model(Architecture::vgg16(), 0).truncate(&LayerChoice::Auto).unwrap();
        let costs = costs(&model.network(Some(PreprocessMode::Caffe)).unwrap(), 1);
        let flops: u64 = costs.iter().map(|cost| cost.flops).sum();
        // 15.35 G multiply-adds in the convolutions, 0.12 G in fc1 and fc2; pools add little.
        assert!((flops as f64 / 1e9 - 30.94).abs() < 0.02, "{flops}");
        let fc1 = costs.iter().rev().nth(1).unwrap();
        // 25,088 x 4,096 weights and 4,096 biases, and both vectors.
        assert_eq!(fc1.bytes, 4 * (25_088 * 4_096 + 4_096 + 25_088 + 4_096));
        let peak = Peak { tflops: 10.0, gb_per_s: 411.0 };
        assert!(matches!(fc1.seconds(peak), (seconds, Bound::Memory) if (0.99e-3..1.01e-3).contains(&seconds)));
        assert!(matches!(costs[1].seconds(peak), (_, Bound::Arithmetic)));
    }
}
