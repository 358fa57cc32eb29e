//! Every shader: valid WGSL, translatable for every API, and declaring what Rust passes to it.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner};
use vgg_wgpu::plan::{Shader, WORKGROUP_WIDTH};

fn parse(shader: Shader) -> Module {
    let source = shader.source();
    naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}: {}", shader.name(), e.emit_to_string(&source)))
}

fn validate(shader: Shader, module: &Module) -> naga::valid::ModuleInfo {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.validate(module).unwrap_or_else(|problem| panic!("{}: {problem:?}", shader.name()))
}

#[test]
fn every_shader_is_translated_for_vulkan_metal_and_direct3d() {
    use naga::back::{hlsl, msl, pipeline_constants::process_overrides, spv};
    for shader in Shader::ALL {
        let (module, name) = (parse(shader), shader.name());
        let info = validate(shader, &module);
        let (module, info) = process_overrides(&module, &info, None, &Default::default()).expect(name);
        let words = spv::write_vec(&module, &info, &spv::Options::default(), None).expect(name);
        assert!(!words.is_empty(), "{name}");
        let (metal, _) = msl::write_string(&module, &info, &Default::default(), &Default::default()).expect(name);
        assert!(metal.contains("kernel void"), "{name}");
        let mut text = String::new();
        let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
        hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None).expect(name);
        assert!(text.contains("numthreads"), "{name}");
    }
}

#[test]
fn workgroups_are_as_wide_as_plans_count_them() {
    for shader in Shader::ALL {
        let module = parse(shader);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry point", shader.name()) };
        assert_eq!(entry.workgroup_size[0] as usize, WORKGROUP_WIDTH, "{}", shader.name());
        let names: Vec<_> = module.overrides.iter().filter_map(|(_, value)| value.name.as_deref()).collect();
        assert_eq!(names, ["WORKGROUP_ROWS"], "{}", shader.name());
    }
}

/// The executor passes parameters as a list of u32: no field may be of another type, and none may be preceded by padding.
#[test]
fn parameters_are_a_list_of_u32_without_gaps() {
    for shader in Shader::ALL {
        let module = parse(shader);
        let uniform = module.global_variables.iter().find(|(_, global)| global.space == AddressSpace::Uniform);
        let (_, uniform) = uniform.unwrap_or_else(|| panic!("{} has no parameters", shader.name()));
        assert_eq!(uniform.binding, Some(naga::ResourceBinding { group: 0, binding: 0 }), "{}", shader.name());
        let TypeInner::Struct { members, .. } = &module.types[uniform.ty].inner else { panic!("{}", shader.name()) };
        let mut offset = 0;
        for member in members {
            let inner = &module.types[member.ty].inner;
            let scalar = inner.scalar().unwrap_or_else(|| panic!("{}: {:?}", shader.name(), member.name));
            assert_eq!(scalar, naga::Scalar::U32, "{}: {:?}", shader.name(), member.name);
            assert_eq!(member.offset, offset, "{}: padding before {:?}", shader.name(), member.name);
            offset += inner.size(module.to_ctx());
        }
    }
}
