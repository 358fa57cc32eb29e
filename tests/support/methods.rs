//! Every method of every op, as choices to plan with.

use vgg_wgpu::Network;
use vgg_wgpu::plan::{Choices, Limits, Method, Product, Tile};

/// The methods that a network's ops take where they can, the first one first.
#[derive(Debug, Clone)]
pub struct Family {
    /// Part of its tests' names.
    pub name: String,
    methods: Vec<Method>,
}

impl Family {
    /// Whether it is the one that also computes what has only one method.
    pub fn is_first(&self) -> bool {
        self.name == families()[0].name
    }

    /// Whether it computes a network otherwise than the first family does.
    pub fn differs(&self, network: &Network, limits: &Limits) -> bool {
        self.choices(network, limits) != families()[0].choices(network, limits)
    }

    /// The choices for a network; where none of its methods can be taken, the first that can.
    pub fn choices(&self, network: &Network, limits: &Limits) -> Choices {
        let choose = |candidates: &[Method]| {
            let taken = self.methods.iter().find(|method| candidates.contains(method));
            Ok(*taken.unwrap_or(&candidates[0]))
        };
        Choices::for_network(network, limits, |_, candidates| choose(candidates)).expect("nothing fails")
    }
}

/// Families that have each method at least once.
pub fn families() -> Vec<Family> {
    let named = |name: String, methods| Family { name, methods };
    let mut families = vec![
        named("winograd".into(), vec![Method::Winograd(Product::Registers), Method::Direct]),
        named("winograd_broadcast".into(), vec![Method::Winograd(Product::Broadcast), Method::Direct]),
        named("direct".into(), vec![Method::Direct]),
    ];
    for tile in Tile::ALL {
        let methods = vec![Method::Winograd(Product::Tiled(tile)), Method::DirectTiled(tile), Method::DirectSplit];
        families.push(named(format!("winograd_{tile}"), methods));
    }
    // One tile for what Winograd takes away from it above.
    let tile = Tile::T64x64;
    families.push(named(format!("direct_{tile}"), vec![Method::DirectTiled(tile), Method::DirectSplit]));
    families
}
