//! The network on plain f64-accumulating loops: slow, and what every backend is compared with.

use crate::executor::{Executor, Input, batch_len};
use crate::network::Node;
use crate::{Network, Result, Tensor};

/// Runs a [`Network`] op by op with [`crate::ops::Op::reference`].
#[derive(Debug)]
pub struct ReferenceExecutor {
    network: Network,
    finished: Option<Tensor>,
}

impl ReferenceExecutor {
    /// Weights are read anew at every batch; nothing is compiled.
    pub fn new(network: Network) -> ReferenceExecutor {
        ReferenceExecutor { network, finished: None }
    }
}

impl Executor for ReferenceExecutor {
    fn device(&self) -> String {
        "plain f64 reference".into()
    }

    fn max_batch(&self) -> usize {
        usize::MAX
    }

    fn submit(&mut self, input: Input<'_>) -> Result<()> {
        self.finished = Some(self.compute(input, &mut |_, _| Ok(()))?);
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(self.finished.take().expect("collect without submit"))
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        self.compute(input, &mut |node, output| visit(node, output.clone())).map(drop)
    }
}

impl ReferenceExecutor {
    /// The output, which is the input where there is no node.
    fn compute(&self, input: Input<'_>, visit: &mut dyn FnMut(&Node, &Tensor) -> Result<()>) -> Result<Tensor> {
        let n = batch_len(&self.network, input, usize::MAX);
        let mut current = match (input, &self.network.preprocess) {
            (Input::Pixels(pixels), Some(preprocess)) => preprocess.apply(pixels, self.network.input),
            (Input::Values(values), _) => Tensor::new(n, self.network.input, values.to_vec()),
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        };
        for node in &self.network.nodes {
            current = node.op.reference(&current)?;
            visit(node, &current)?;
        }
        Ok(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn a_network_without_a_node_gives_its_input() {
        let network = Network { input: Shape::Vector(2), preprocess: None, nodes: Vec::new() };
        let values = [1.0, 2.0, 3.0, 4.0];
        let output = ReferenceExecutor::new(network).run(Input::Values(&values)).unwrap();
        assert_eq!(output, Tensor::new(2, Shape::Vector(2), values.to_vec()));
    }
}
