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
        let mut output = None;
        self.trace(input, &mut |_, tensor| {
            output = Some(tensor);
            Ok(())
        })?;
        self.finished = output;
        Ok(())
    }

    fn collect(&mut self) -> Result<Tensor> {
        Ok(self.finished.take().expect("collect without submit"))
    }

    fn trace(&mut self, input: Input<'_>, visit: &mut dyn FnMut(&Node, Tensor) -> Result<()>) -> Result<()> {
        let n = batch_len(&self.network, input, usize::MAX);
        let mut current = match (input, &self.network.preprocess) {
            (Input::Pixels(pixels), Some(preprocess)) => preprocess.apply(pixels, self.network.input),
            (Input::Values(values), _) => Tensor::new(n, self.network.input, values.to_vec()),
            (Input::Pixels(_), None) => unreachable!("batch_len refuses it"),
        };
        for node in &self.network.nodes {
            current = node.op.reference(&current)?;
            visit(node, current.clone())?;
        }
        Ok(())
    }
}
