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
    /// Whether plans are those of hardware: with texels in buffers, and threads that hand nothing to each other.
    pub is_hardware: bool,
}

impl Family {
    /// Whether it computes a network otherwise than the families before it: the first one of rasterisers and the first one of
    /// hardware also compute what has only one method.
    pub fn differs(&self, network: &Network, limits: &Limits) -> bool {
        let families = families();
        let first = families.iter().find(|family| family.is_hardware == self.is_hardware).expect("this is one");
        self.name == first.name || self.choices(network, limits) != first.choices(network, limits)
    }

    /// What it may use of an adapter.
    pub fn limits(&self, limits: &Limits) -> Limits {
        if self.is_hardware { limits.of_hardware() } else { *limits }
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
    let named = |name: String, methods| Family { name, methods, is_hardware: false };
    let mut families = vec![
        named("winograd_f4".into(), vec![Method::Winograd(Filtering::F4, Product::Broadcast), Method::Direct]),
        named("winograd_f7".into(), vec![Method::Winograd(Filtering::F7, Product::Broadcast), Method::Direct]),
        named("direct".into(), vec![Method::Direct]),
    ];
    let of_hardware = |name: String, methods| Family { name, methods, is_hardware: true };
    families.push(of_hardware(
        "hardware_winograd".into(),
        vec![Method::Winograd(Filtering::F4, Product::Registers), Method::Direct],
    ));
    families.push(of_hardware("hardware_direct".into(), vec![Method::Direct]));
    for tile in Tile::ALL {
        let winograd = Method::Winograd(Filtering::F4, Product::Tiled(tile));
        let methods = vec![winograd, Method::DirectTiled(tile), Method::DirectSplit];
        families.push(of_hardware(format!("hardware_winograd_{tile}"), methods));
    }
    // One tile for what Winograd takes away from it above.
    let tile = Tile::T64x64;
    families.push(of_hardware(format!("hardware_direct_{tile}"), vec![Method::DirectTiled(tile), Method::DirectSplit]));
    families
}
