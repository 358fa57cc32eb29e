//! RADV's null device, and what it says about a compiled shader.

use std::ffi::CStr;

use ash::{khr, vk};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner, back};
use vgg_wgpu::ops::Activation;
use vgg_wgpu::plan::{Shader, Texels, activation_code};

/// What hardware gets.
pub const WORKGROUP_ROWS: u32 = 8;

/// What the compiler made of a shader.
#[derive(Debug)]
pub struct Statistics {
    /// Vector registers of a thread.
    pub vgprs: u64,
    /// Registers that did not fit.
    pub spilled: u64,
    /// Memory for what did not fit, and for arrays that are indexed at run time.
    pub scratch_bytes: u64,
    /// Workgroup memory.
    pub lds_bytes: u64,
    /// Waves that one SIMD unit can hold.
    pub waves: u64,
    /// Of the whole shader.
    pub instructions: u64,
    /// Multiply-adds among the vector instructions.
    pub fma_percent: usize,
}

/// A Vulkan device that compiles and never runs.
pub struct Null {
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    /// The driver's name and version.
    pub driver: String,
}

impl Null {
    /// The only device of a loader that was told to load RADV alone.
    pub fn open() -> Null {
        // SAFETY: plain Vulkan calls in the order that the specification wants; the handles live as long as the process.
        unsafe {
            let entry = ash::Entry::load().expect("a Vulkan loader");
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None).expect("an instance");
            let physical = instance.enumerate_physical_devices().expect("devices")[0];
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let text = |chars: &[_]| CStr::from_ptr(chars.as_ptr()).to_string_lossy().into_owned();
            let driver = format!("{}, {}", text(&driver.driver_name), text(&driver.driver_info));
            let mut wanted =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
            let queue = vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0]);
            let (queues, extensions) = ([queue], [khr::pipeline_executable_properties::NAME.as_ptr()]);
            let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_extension_names(&extensions);
            let device = instance.create_device(physical, &info.push_next(&mut wanted), None).expect("a device");
            Null { _entry: entry, instance, device, driver }
        }
    }

    /// Compiles a shader as the program has it compiled: without bounds checks, and with workgroup memory as it is.
    pub fn compile(&self, shader: Shader) -> Statistics {
        let name = shader.name();
        let module = naga::front::wgsl::parse_str(&shader.source(Texels::Buffers)).expect(name);
        let code = spirv(&module);
        let bindings: Vec<_> = module.global_variables.iter().filter_map(|(_, it)| binding(&module, it)).collect();
        // SAFETY: as above; the code is valid SPIR-V, and the layout has the shader's bindings.
        unsafe {
            let info = vk::ShaderModuleCreateInfo::default().code(&code);
            let compiled = self.device.create_shader_module(&info, None).expect(name);
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [self.device.create_descriptor_set_layout(&info, None).expect(name)];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = self.device.create_pipeline_layout(&info, None).expect(name);
            let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                )
                .layout(layout)
                .stage(stage.module(compiled).name(c"main"));
            let pipelines = self.device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            self.statistics(pipelines.expect(name)[0])
        }
    }

    /// # Safety
    /// The pipeline is this device's, and keeps its statistics and representations.
    unsafe fn statistics(&self, pipeline: vk::Pipeline) -> Statistics {
        let properties = khr::pipeline_executable_properties::Device::new(&self.instance, &self.device);
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        let all = unsafe { properties.get_pipeline_executable_statistics(&info) }.expect("statistics");
        let value = |name: &CStr| {
            let found = all.iter().find(|statistic| statistic.name_as_c_str() == Ok(name));
            let names = || all.iter().map(|it| it.name_as_c_str().unwrap_or_default()).collect::<Vec<_>>();
            let found = found.unwrap_or_else(|| panic!("no {name:?} among {:?}", names()));
            // SAFETY: RADV's are all of this type, which the assertion checks.
            assert_eq!(found.format, vk::PipelineExecutableStatisticFormatKHR::UINT64, "{name:?}");
            unsafe { found.value.u64 }
        };
        Statistics {
            vgprs: value(c"VGPRs"),
            spilled: value(c"Spilled VGPRs") + value(c"Spilled SGPRs"),
            scratch_bytes: value(c"Scratch size"),
            lds_bytes: value(c"LDS size"),
            waves: value(c"Subgroups per SIMD"),
            instructions: value(c"Instructions"),
            fma_percent: unsafe { self.fma_percent(&properties, &info) },
        }
    }

    /// # Safety
    /// As for the statistics.
    unsafe fn fma_percent(
        &self,
        properties: &khr::pipeline_executable_properties::Device,
        info: &vk::PipelineExecutableInfoKHR<'_>,
    ) -> usize {
        let get = properties.fp().get_pipeline_executable_internal_representations_khr;
        let mut count = 0;
        let mut texts: Vec<vk::PipelineExecutableInternalRepresentationKHR<'_>> = Vec::new();
        let mut data: Vec<Vec<u8>> = Vec::new();
        // SAFETY: counted, then sized, then filled, as the specification has it.
        unsafe {
            get(self.device.handle(), info, &mut count, std::ptr::null_mut()).result().expect("representations");
            texts.resize(count as usize, Default::default());
            get(self.device.handle(), info, &mut count, texts.as_mut_ptr()).result().expect("representations");
            for text in &mut texts {
                let mut bytes = vec![0; text.data_size];
                text.p_data = bytes.as_mut_ptr().cast();
                data.push(bytes);
            }
            get(self.device.handle(), info, &mut count, texts.as_mut_ptr()).result().expect("representations");
        }
        let position = texts.iter().position(|text| text.name_as_c_str() == Ok(c"Assembly")).expect("assembly");
        let assembly = String::from_utf8_lossy(&data[position]);
        let vector = |line: &&str| line.starts_with("v_");
        let all = assembly.lines().map(str::trim_start).filter(vector);
        let (mut instructions, mut multiply_adds) = (0, 0);
        for line in all {
            instructions += 1;
            multiply_adds += usize::from(line.starts_with("v_fma") || line.starts_with("v_pk_fma"));
        }
        100 * multiply_adds / std::cmp::max(instructions, 1)
    }
}

fn spirv(module: &Module) -> Vec<u32> {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(module).expect("a valid shader");
    let relu = activation_code(Activation::Relu);
    let constants = [("WORKGROUP_ROWS", WORKGROUP_ROWS), ("ACTIVATION", relu)];
    let constants = constants.into_iter().map(|(name, value)| (name.to_owned(), f64::from(value))).collect();
    let (module, info) =
        back::pipeline_constants::process_overrides(module, &info, None, &constants).expect("constants fit");
    let unchecked = naga::proc::BoundsCheckPolicy::Unchecked;
    let options = back::spv::Options {
        bounds_check_policies: naga::proc::BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: back::spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..Default::default()
    };
    back::spv::write_vec(&module, &info, &options, None).expect("SPIR-V")
}

fn binding(module: &Module, global: &naga::GlobalVariable) -> Option<vk::DescriptorSetLayoutBinding<'static>> {
    let kind = match (global.space, &module.types[global.ty].inner) {
        (AddressSpace::Uniform, _) => vk::DescriptorType::UNIFORM_BUFFER,
        (AddressSpace::Storage { .. }, _) => vk::DescriptorType::STORAGE_BUFFER,
        (AddressSpace::Handle, TypeInner::Image { .. }) => vk::DescriptorType::STORAGE_IMAGE,
        _ => return None,
    };
    Some(
        vk::DescriptorSetLayoutBinding::default()
            .binding(global.binding?.binding)
            .descriptor_count(1)
            .descriptor_type(kind)
            .stage_flags(vk::ShaderStageFlags::COMPUTE),
    )
}
