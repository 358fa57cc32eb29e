//! The ways to compute a convolution or dense layer, and which one is taken.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::network::Node;
use crate::ops::winograd::Filtering;
use crate::ops::{Op, Window};
use crate::{Network, Result, Shape};

use super::layout::Layout;
use super::tile::Tile;
use super::winograd::{self, Product};
use super::{Limits, step, tiled};

/// How a convolution or a dense layer is computed. All give the same within rounding; each is the fastest somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    /// The sum as it is defined, results in registers.
    Direct,
    /// The same as a matrix product in tiles, operands in workgroup memory.
    DirectTiled(Tile),
    /// A dense layer whose sums are split between the threads of a workgroup.
    DirectSplit,
    /// Winograd's minimal filtering with tiles of that size, its products computed so.
    Winograd(Filtering, Product),
}

/// What a method is chosen for: ops with the same task take the same time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Task {
    /// A convolution from a map `[h, w, c]`.
    Conv2d { input: [usize; 3], kernel: [usize; 2], stride: [usize; 2], before: [usize; 2], output: [usize; 3] },
    /// A dense layer.
    Dense { inputs: usize, units: usize },
}

impl Task {
    /// The task of an op from `input`; none where there is only one way to compute it.
    pub fn of(op: &Op, input: Shape) -> Option<Task> {
        match (op, input) {
            (Op::Conv2d(op), Shape::Map { h, w, c }) => {
                let Window { kernel, stride, before, output: [out_h, out_w] } = op.window;
                Some(Task::Conv2d { input: [h, w, c], kernel, stride, before, output: [out_h, out_w, op.c_out] })
            }
            (Op::Dense(op), _) => Some(Task::Dense { inputs: op.inputs, units: op.units }),
            _ => None,
        }
    }
}

impl Method {
    /// The method with which all that differ from it by the size of their tiles are judged.
    pub fn kind(self) -> Method {
        match self {
            Method::Winograd(Filtering::F7, product) => Method::Winograd(Filtering::F4, product).kind(),
            Method::DirectTiled(_) => Method::DirectTiled(Tile::T64x64),
            Method::Winograd(filtering, Product::Tiled(_)) => Method::Winograd(filtering, Product::Tiled(Tile::T64x64)),
            Method::Direct | Method::DirectSplit | Method::Winograd(..) => self,
        }
    }

    /// Samples of `output` of which its time can be told: fewer are computed in blocks that they do not fill.
    pub fn least_samples(self, output: Shape) -> usize {
        match (self, output) {
            (Method::Winograd(filtering, _), Shape::Map { h, w, .. }) => winograd::samples_of_block(filtering, [h, w]),
            _ => 1,
        }
    }

    /// The ways that an adapter can compute `op`, the one first that is taken where none was measured.
    pub(super) fn candidates(op: &Op, from: Layout, to: Layout, limits: &Limits) -> Vec<Method> {
        // Whose operands are in workgroup memory: a rasteriser has none that is faster than other memory.
        let tiles = || Tile::ALL.into_iter().filter(|&tile| limits.is_hardware && limits.takes_tile(tile));
        let mut methods = Vec::new();
        match op {
            Op::Conv2d(op) => {
                let takes = |&filtering: &Filtering| winograd::takes(op, filtering, from, to, limits);
                if limits.broadcasts_between_threads {
                    // Instead of the product in which each thread loads the whole kernel: that is slower on a rasteriser.
                    // The transforms of F7 need more registers than hardware has. On a rasteriser it is often the fastest,
                    // but takes seconds to compile: who has measured knows that it pays.
                    let filterings = [Filtering::F4, Filtering::F7].into_iter().filter(takes);
                    methods.extend(filterings.map(|filtering| Method::Winograd(filtering, Product::Broadcast)));
                } else if takes(&Filtering::F4) {
                    methods.push(Method::Winograd(Filtering::F4, Product::Registers));
                }
                if takes(&Filtering::F4) {
                    methods.extend(tiles().map(|tile| Method::Winograd(Filtering::F4, Product::Tiled(tile))));
                }
                methods.push(Method::Direct);
                if tiled::takes(op, from, to, limits) {
                    methods.extend(tiles().map(Method::DirectTiled));
                }
            }
            Op::Dense(_) => {
                methods.push(Method::Direct);
                if limits.is_hardware && limits.takes_workgroup(step::SPLIT_THREADS, step::SPLIT_BYTES) {
                    methods.push(Method::DirectSplit);
                }
            }
            _ => {}
        }
        if limits.is_hardware {
            methods.sort_by_key(|method| !method.is_predicted_best(from));
        }
        methods
    }

    /// What hardware is predicted to be fastest with: 64 x 64 fills a GPU with the few tiles of late layers, and a slab is
    /// wasted on an image's 3 channels. An H200 is.
    fn is_predicted_best(self, from: Layout) -> bool {
        match self {
            Method::Winograd(Filtering::F4, Product::Tiled(Tile::T64x64)) | Method::DirectSplit => true,
            Method::DirectTiled(tile) => tile == Tile::T64x64 && from.quads() > 1,
            _ => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Direct => f.write_str("direct"),
            Method::DirectTiled(tile) => write!(f, "direct, tiles of {tile}"),
            Method::DirectSplit => f.write_str("direct, sums split"),
            Method::Winograd(filtering, Product::Registers) => write!(f, "Winograd {filtering}"),
            Method::Winograd(filtering, Product::Broadcast) => write!(f, "Winograd {filtering}, broadcasts"),
            Method::Winograd(filtering, Product::Tiled(tile)) => write!(f, "Winograd {filtering}, tiles of {tile}"),
        }
    }
}

/// The methods that were found to be the fastest on an adapter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choices(pub HashMap<Task, Method>);

impl Choices {
    /// Asks `choose` for each task of `network` that an adapter has several methods for: it is given the first node with
    /// that task and its methods, the predicted best first.
    pub fn for_network(
        network: &Network,
        limits: &Limits,
        mut choose: impl FnMut(&Node, &[Method]) -> Result<Method>,
    ) -> Result<Choices> {
        let mut choices = Choices::default();
        for node in &network.nodes {
            let Some(task) = Task::of(&node.op, node.input) else { continue };
            let (from, to) = (Layout::of(node.input, limits), Layout::of(node.output, limits));
            let candidates = Method::candidates(&node.op, from, to, limits);
            if candidates.len() > 1 && !choices.0.contains_key(&task) {
                choices.0.insert(task, choose(node, &candidates)?);
            }
        }
        Ok(choices)
    }

    /// The method for an op: the one chosen for its task if the adapter can do it, otherwise the first candidate.
    pub(super) fn method(&self, op: &Op, from: Layout, to: Layout, limits: &Limits) -> Option<Method> {
        let candidates = Method::candidates(op, from, to, limits);
        let chosen = Task::of(op, from.shape).and_then(|task| self.0.get(&task));
        chosen.filter(|method| candidates.contains(method)).or(candidates.first()).copied()
    }
}
