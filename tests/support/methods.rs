//! Every method of every op, as choices to plan with.

use vgg_wgpu::Network;
use vgg_wgpu::ops::winograd::Filtering;
use vgg_wgpu::plan::{Choices, Limits, Method, Product, Tile};

/// The methods that a network's ops take where they can, the first one first.
#[derive(Debug, Clone)]
pub struct Family {
    /// Part of its tests' names.
    pub name: String,
    methods: Vec<Method>,
    /// Whether threads hand values to each other: what hardware is not known to do.
    pub broadcasts: bool,
}

impl Family {
    /// Whether it is the one that also computes what has only one method.
    pub fn is_first(&self) -> bool {
        self.name == families()[0].name
    }

    /// Whether it computes a network otherwise than the first family does.
    pub fn differs(&self, network: &Network, limits: &Limits) -> bool {
        !self.broadcasts || self.choices(network, limits) != families()[0].choices(network, limits)
    }

    /// What it may use of an adapter.
    pub fn limits(&self, limits: &Limits) -> Limits {
        Limits { broadcasts_between_threads: limits.broadcasts_between_threads && self.broadcasts, ..*limits }
    }

    /// The choices for a network; where none of its methods can be taken, the first that can.
    pub fn choices(&self, network: &Network, limits: &Limits) -> Choices {
        let choose = |candidates: &[Method]| {
            let taken = self.methods.iter().find(|method| candidates.contains(method));
            Ok(*taken.unwrap_or(&candidates[0]))
        };
        Choices::for_network(network, &self.limits(limits), |_, candidates| choose(candidates)).expect("nothing fails")
    }
}

/// Families that have each method at least once.
pub fn families() -> Vec<Family> {
    let named = |name: String, methods| Family { name, methods, broadcasts: true };
    let mut families = vec![
        named("winograd_f4".into(), vec![Method::Winograd(Filtering::F4, Product::Broadcast), Method::Direct]),
        named("winograd_f7".into(), vec![Method::Winograd(Filtering::F7, Product::Broadcast), Method::Direct]),
        named("direct".into(), vec![Method::Direct]),
    ];
    // The same without broadcasts, in shaders of their own.
    for methods in [vec![Method::Winograd(Filtering::F4, Product::Registers), Method::Direct], vec![Method::Direct]] {
        let name = if methods.len() > 1 { "winograd_alone" } else { "direct_alone" };
        families.push(Family { name: name.into(), methods, broadcasts: false });
    }
    for tile in Tile::ALL {
        let winograd = Method::Winograd(Filtering::F4, Product::Tiled(tile));
        let methods = vec![winograd, Method::DirectTiled(tile), Method::DirectSplit];
        families.push(named(format!("winograd_{tile}"), methods));
    }
    // One tile for what Winograd takes away from it above.
    let tile = Tile::T64x64;
    families.push(named(format!("direct_{tile}"), vec![Method::DirectTiled(tile), Method::DirectSplit]));
    families
}
