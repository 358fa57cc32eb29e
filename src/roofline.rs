//! What a network asks of a device, layer by layer, and the least time that a device of given peaks needs for it: the
//! roofline model (Williams, Waterman and Patterson 2009). A prediction, to hold measurements against.

use crate::{Network, Node, Shape};

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
    /// The node's layer, or the layers of the nodes that are computed as one.
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
    network.nodes.iter().map(|node| LayerCost::of(std::slice::from_ref(node), batch)).collect()
}

impl LayerCost {
    /// The cost of one node or more, of which only the last one's output is written.
    pub fn of(nodes: &[Node], batch: usize) -> LayerCost {
        let (first, last) = nodes.first().zip(nodes.last()).expect("at least one node");
        let layers: Vec<&str> = nodes.iter().map(|node| node.layer.as_str()).collect();
        let weights: usize = nodes.iter().map(|node| node.op.weights()).sum();
        LayerCost {
            layer: layers.join(" + "),
            output: last.output,
            flops: batch as u64 * nodes.iter().map(|node| node.op.flops(node.input)).sum::<u64>(),
            bytes: 4 * (batch * (first.input.len() + last.output.len()) + weights) as u64,
        }
    }

    /// The cost of what happens before the first node: preprocessing pixels, a byte each, or taking over values.
    pub fn of_input(network: &Network, batch: usize) -> LayerCost {
        let (layer, bytes_in) = if network.preprocess.is_some() { ("preprocess", 1) } else { ("input", 4) };
        let bytes = (bytes_in + 4) * (batch * network.input.len()) as u64;
        LayerCost { layer: layer.into(), output: network.input, flops: 0, bytes }
    }

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
        let network = model.network(Some(PreprocessMode::Caffe)).unwrap();
        let costs = costs(&network, 1);
        let flops: u64 = costs.iter().map(|cost| cost.flops).sum();
        // 15.35 G multiply-adds in the convolutions, 0.12 G in fc1 and fc2; pools add little.
        assert!((flops as f64 / 1e9 - 30.94).abs() < 0.02, "{flops}");
        let fc1 = costs.iter().rev().nth(1).unwrap();
        // 25,088 x 4,096 weights and 4,096 biases, and both vectors.
        assert_eq!(fc1.bytes, 4 * (25_088 * 4_096 + 4_096 + 25_088 + 4_096));
        let pooled = LayerCost::of(&network.nodes[1..3], 1);
        assert_eq!(
            (pooled.layer.as_str(), pooled.flops),
            ("conv2d_1 + max_pooling2d", costs[1].flops + costs[2].flops)
        );
        // The map between them is neither written nor read.
        let between = 4 * 224 * 224 * 64;
        assert_eq!(pooled.bytes, costs[1].bytes + costs[2].bytes - 2 * between);
        let peak = Peak { tflops: 10.0, gb_per_s: 411.0 };
        assert!(matches!(fc1.seconds(peak), (seconds, Bound::Memory) if (0.99e-3..1.01e-3).contains(&seconds)));
        assert!(matches!(costs[1].seconds(peak), (_, Bound::Arithmetic)));
    }
}
