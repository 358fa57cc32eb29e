//! The GPUs of this machine.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::aliased;
use super::context::Context;
use crate::plan::{Choices, Limits, Plan, Texels, WORKGROUP_WIDTH};
use crate::{Network, Result};

/// What shaders for rasterisers need: values handed from thread to thread, and stores of 64 bits.
pub(super) const FOR_RASTERISERS: wgpu::Features = wgpu::Features::SUBGROUP.union(wgpu::Features::SHADER_INT64);

/// A GPU with a driver that wgpu can use: Vulkan, Metal or DX12.
#[derive(Debug, Clone)]
pub struct Adapter {
    pub(super) adapter: wgpu::Adapter,
    info: wgpu::AdapterInfo,
    choices: Choices,
    batch: Option<usize>,
    /// Whether it is taken for hardware, whatever it is.
    as_hardware: bool,
    /// Its device, once it is open: those of its clones, too.
    opened: Arc<Mutex<Option<Arc<Context>>>>,
}

/// One for the whole program: NVIDIA's driver for Linux cannot be unloaded and loaded as often as devices are opened.
static INSTANCE: LazyLock<wgpu::Instance> = LazyLock::new(|| {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    wgpu::Instance::new(descriptor)
});

/// The adapters of this machine, in the order of their numbers for `--device`.
pub fn adapters() -> Vec<Adapter> {
    let adapters = pollster::block_on(INSTANCE.enumerate_adapters(wgpu::Backends::PRIMARY));
    adapters
        .into_iter()
        .map(|adapter| {
            let info = adapter.get_info();
            let (choices, opened) = (Choices::default(), Arc::default());
            Adapter { info, adapter, choices, batch: None, as_hardware: false, opened }
        })
        .collect()
}

impl Adapter {
    /// The name that its driver gives it.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Whether it is hardware, not a rasteriser on the CPU.
    pub fn is_hardware(&self) -> bool {
        self.info.device_type != wgpu::DeviceType::Cpu
    }

    /// Whether it is a card of its own. Others may be so slow that a batch takes longer than the two seconds after which systems
    /// take a GPU for hung.
    pub fn is_discrete(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// Lower is better: discrete, integrated, virtual, unknown, software.
    pub fn rank(&self) -> u8 {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        }
    }

    /// One line: name, API and driver.
    pub fn describe(&self) -> String {
        let wgpu::AdapterInfo { name, backend, driver, driver_info, .. } = &self.info;
        format!("{name}, {backend:?}, {driver} {driver_info}").trim_end().to_owned()
    }

    /// One line: its kind, and the limits that plans depend on.
    pub fn describe_limits(&self) -> String {
        let limits = self.limits();
        format!(
            "{:?}; textures up to {side} x {side} x {} layers, bindings up to {} MiB, {} workgroups along a dimension",
            self.info.device_type,
            limits.max_texture_layers,
            limits.max_binding_bytes >> 20,
            limits.max_workgroups,
            side = limits.max_texture_side,
        )
    }

    /// The adapter with what was measured on it: plans take these methods.
    pub fn with_choices(self, choices: Choices) -> Adapter {
        Adapter { choices, ..self }
    }

    /// The adapter with the batch that was measured to be the fastest: plans are for that where none is asked for.
    pub fn with_batch(self, batch: Option<usize>) -> Adapter {
        Adapter { batch, ..self }
    }

    /// For tests: the adapter, planned for as if it were hardware.
    #[doc(hidden)]
    pub fn as_hardware(self) -> Adapter {
        Adapter { as_hardware: true, opened: Arc::default(), ..self }
    }

    /// Its device, which is opened when it is first asked for, and anew after it had a problem. So what is compiled to measure
    /// it is compiled for the run that follows, too.
    pub(super) fn context(&self) -> Result<Arc<Context>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // It waits because what was dropped is freed then, before more memory is needed.
        if let Some(context) = opened.as_ref().filter(|context| context.wait().is_ok()) {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(Context::open(self)?);
        Ok(Arc::clone(opened.insert(context)))
    }

    /// Where its texels are.
    pub(super) fn texels(&self) -> Texels {
        let limits = self.limits();
        match limits.is_hardware {
            true => Texels::Buffers,
            false if limits.broadcasts_between_threads => Texels::Aliased,
            false => Texels::Textures,
        }
    }

    /// What was measured on it.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Whether its driver compiles all of a device's shaders on one thread, while other cores have nothing to do: Mesa's
    /// rasteriser does.
    pub(super) fn compiles_on_one_thread(&self) -> bool {
        !self.is_hardware()
    }

    /// Plans `network` for it, as [`Plan::with_choices`] does.
    pub fn plan(&self, network: &Network, batch: Option<usize>) -> Result<Plan> {
        Plan::with_choices(network, &self.limits(), batch.or(self.batch), &self.choices)
    }

    /// What plans for it may use.
    pub fn limits(&self) -> Limits {
        let limits = self.adapter.limits();
        let limits = Limits {
            max_texture_side: limits.max_texture_dimension_2d as usize,
            max_texture_layers: limits.max_texture_array_layers as usize,
            max_workgroups: limits.max_compute_workgroups_per_dimension as usize,
            max_binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            // Rasterisers do not say how large a texture may be: lavapipe's have so much, as a buffer that is bound has.
            max_weights_bytes: 128 << 20,
            workgroup_rows: 1,
            max_workgroup_threads: limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
                as usize,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size as usize,
            is_hardware: false,
            // Measured on lavapipe.
            chunk_bytes: 4 << 20,
            // Rasterisers on the CPU make a subgroup of the lanes of a vector. They finish a dispatch before they begin the next,
            // as `aliased` needs it.
            broadcasts_between_threads: aliased::supported(&self.adapter)
                && self.adapter.features().contains(FOR_RASTERISERS)
                && self.info.subgroup_min_size as usize >= WORKGROUP_WIDTH,
        };
        if self.is_hardware() || self.as_hardware { limits.of_hardware() } else { limits }
    }
}
