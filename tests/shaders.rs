//! Every shader: valid WGSL, translatable for every API, and declaring what Rust passes to it.

mod support;

use std::collections::{HashMap, HashSet};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner};
use support::cases;
use support::methods;
use support::plans::{LAVAPIPE, vgg16};
use vgg_wgpu::plan::{CONV2D_3X3_ROWS, CONV2D_QUADS, CONV2D_ROWS, DENSE_SAMPLES, PRODUCT_QUADS, PRODUCT_TILES};
use vgg_wgpu::plan::{Chunk, Dispatch, Growth, Layout, Plan, Shader, Tile, WORKGROUP_WIDTH};
use vgg_wgpu::plan::{SLAB, SPLIT_BYTES, SPLIT_QUADS, SPLIT_SAMPLES, SPLIT_THREADS};

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
    for shader in Shader::all() {
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

/// The names of what a shader may be given, in the order in which the executor binds them.
const BINDINGS: [&str; 6] = ["params", "input", "output", "weights", "channels", "pixels"];

#[test]
fn bindings_have_the_numbers_that_the_executor_gives_them() {
    for shader in Shader::all() {
        let module = parse(shader);
        let is_own = |space| matches!(space, AddressSpace::Private | AddressSpace::WorkGroup);
        for (_, global) in module.global_variables.iter().filter(|(_, global)| !is_own(global.space)) {
            let (name, binding) = (global.name.as_deref().expect("a name"), global.binding.expect("a binding"));
            let expected = BINDINGS.iter().position(|&known| known == name).expect(name);
            assert_eq!((binding.group, binding.binding as usize), (0, expected), "{}: {name}", shader.name());
        }
    }
}

#[test]
fn workgroups_and_tiles_are_as_large_as_plans_count_them() {
    for shader in Shader::all() {
        let (module, name) = (parse(shader), shader.name());
        let [entry] = &module.entry_points[..] else { panic!("{name}: one entry point") };
        let [x, y, z] = entry.workgroup_size.map(|size| size as usize);
        match shader {
            Shader::Conv2dTiled(tile) | Shader::WinogradProductTiled(tile) => {
                assert_eq!(x * y * z, tile.threads(), "{name}")
            }
            Shader::DenseSplit => assert_eq!((x, x * y * z), (SPLIT_QUADS, SPLIT_THREADS), "{name}"),
            _ => assert_eq!(x, WORKGROUP_WIDTH, "{name}"),
        }
        assert_eq!(workgroup_bytes(&module), planned_workgroup_bytes(shader), "{name}");
        let names: Vec<_> = module.overrides.iter().filter_map(|(_, value)| value.name.as_deref()).collect();
        assert_eq!(names, ["WORKGROUP_ROWS", "ACTIVATION"], "{name}");
        let planned = match shader {
            Shader::Conv2d => vec![("TILE_ROWS", CONV2D_ROWS), ("TILE_QUADS", CONV2D_QUADS)],
            Shader::Conv2d3x3 => vec![("TILE_ROWS", CONV2D_3X3_ROWS), ("TILE_QUADS", CONV2D_QUADS)],
            Shader::Dense => vec![("TILE_SAMPLES", DENSE_SAMPLES)],
            Shader::DenseSplit => vec![("SPLIT_SAMPLES", SPLIT_SAMPLES), ("SPLIT_QUADS", SPLIT_QUADS)],
            Shader::WinogradProduct => vec![("TILE_TILES", PRODUCT_TILES), ("TILE_QUADS", PRODUCT_QUADS)],
            Shader::Conv2dTiled(tile) | Shader::WinogradProductTiled(tile) => {
                let [rows, columns] = tile.sides();
                vec![("TILE_ROWS", rows), ("TILE_COLUMNS", columns), ("TILE_QUADS", tile.quads()), ("SLAB", SLAB)]
            }
            _ => vec![],
        };
        assert_eq!(constants(&module), planned, "{name}");
    }
}

/// A shader's constants that plans count with.
fn constants(module: &Module) -> Vec<(&str, usize)> {
    let constants = module.constants.iter().filter_map(|(_, constant)| {
        let naga::Expression::Literal(naga::Literal::U32(value)) = module.global_expressions[constant.init] else {
            return None;
        };
        Some((constant.name.as_deref()?, value as usize))
    });
    let is_planned = |name: &str| name.starts_with("TILE_") || name.starts_with("SPLIT_") || name == "SLAB";
    constants.filter(|&(name, _)| is_planned(name)).collect()
}

/// Bytes of what a workgroup's threads share.
fn workgroup_bytes(module: &Module) -> usize {
    let shared = module.global_variables.iter().filter(|(_, global)| global.space == AddressSpace::WorkGroup);
    shared.map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx()) as usize).sum()
}

fn planned_workgroup_bytes(shader: Shader) -> usize {
    match shader {
        Shader::DenseSplit => SPLIT_BYTES,
        _ => shader.tile().map_or(0, Tile::workgroup_bytes),
    }
}

/// A dispatch's parameters by the names of the shader's fields.
fn named_params(dispatch: &Dispatch) -> HashMap<String, Vec<usize>> {
    let module = parse(dispatch.shader);
    let mut words = dispatch.params.iter().map(|&word| word as usize);
    let named = params(&module).iter().map(|member| {
        let count = module.types[member.ty].inner.size(module.to_ctx()) / 4;
        (member.name.clone().expect("a name"), words.by_ref().take(count as usize).collect::<Vec<_>>())
    });
    let named: HashMap<_, _> = named.collect();
    assert_eq!(words.count(), 0, "{}: more parameters than fields", dispatch.shader.name());
    assert!(named.values().all(|words| !words.is_empty()), "{}: fewer parameters than fields", dispatch.shader.name());
    named
}

/// Shaders run without bounds checks: what keeps them inside is that every size they are given is that of a texture.
#[test]
fn sizes_in_parameters_are_those_of_the_textures() {
    let mut seen = HashSet::new();
    for (network, batch) in cases::all().into_iter().map(|case| (case.network, case.n)).chain([(vgg16(), 8)]) {
        for family in methods::families() {
            let choices = family.choices(&network, &LAVAPIPE);
            let plan = Plan::with_choices(&network, &LAVAPIPE, Some(batch), &choices).expect("it fits");
            let mut input = plan.input;
            for step in &plan.steps {
                for dispatch in &step.dispatches {
                    check_sizes(dispatch, input, step.output, plan.batch);
                    check_transforms(dispatch, &plan);
                    seen.insert(dispatch.shader);
                }
                input = step.output;
            }
        }
    }
    assert_eq!(seen.len(), Shader::all().len(), "a shader that no case runs");
}

fn check_sizes(dispatch: &Dispatch, input: Layout, output: Layout, batch: usize) {
    let name = dispatch.shader.name();
    let params = named_params(dispatch);
    for (field, value) in &params {
        let expected = match field.as_str() {
            "in_size" => vec![input.width, input.height],
            "out_size" | "size" => vec![output.width, output.height],
            "in_width" => vec![input.width],
            "out_width" => vec![output.width],
            "in_quads" => vec![input.quads()],
            "out_quads" | "quads" if !is_dense(dispatch.shader) => vec![output.quads()],
            "in_layers" => vec![input.layers],
            "channels" => vec![input.shape.channels()],
            "length" => vec![output.shape.len()],
            "batch" => vec![batch],
            // Sizes of the weights, below; and what addresses nothing by itself.
            "rows" | "first_quad" | "quads" | "kernel" | "stride" | "before" | "is_average" | "is_vector" => continue,
            // Of Winograd's transforms, in a test of their own.
            "tiles" | "width" | "first_sample" | "tile_count" | "block_count" => continue,
            unknown => panic!("{name}: what bounds {unknown}?"),
        };
        assert_eq!(value, &expected, "{name}: {field}");
    }
    let Some(weights) = dispatch.weights else { return };
    if dispatch.shader.tile().is_some() {
        assert_eq!(weights.size.width, output.quads(), "{name}");
        assert_eq!(weights.size.height, 4 * input.quads(), "{name}");
    } else if is_dense(dispatch.shader) {
        assert_eq!((params["rows"][0], params["quads"][0]), (weights.size.height, weights.size.width), "{name}");
        assert!(weights.size.height * weights.size.layers >= 4 * input.quads(), "{name}: an input without weights");
        assert!(params["first_quad"][0] + params["quads"][0] <= output.quads(), "{name}: more units than there are");
    } else {
        assert_eq!(weights.size.width, 4 * input.quads(), "{name}");
        assert_eq!(weights.size.height, output.quads().next_multiple_of(CONV2D_QUADS), "{name}");
    }
    if !is_dense(dispatch.shader) {
        let taps = params.get("kernel").map_or(36, |kernel| kernel.iter().product::<usize>());
        assert_eq!(weights.size.layers, taps, "{name}");
    }
}

fn is_dense(shader: Shader) -> bool {
    matches!(shader, Shader::Dense | Shader::DenseSplit)
}

/// Winograd's shaders read and write 36 layers of rows for each quad, and pixels of the chunk's samples.
fn check_transforms(dispatch: &Dispatch, plan: &Plan) {
    let Growth::Tiles { chunk, per_sample, per_group } = dispatch.growth else { return };
    let (name, params) = (dispatch.shader.name(), named_params(dispatch));
    let number = |field: &str| params[field][0];
    let slot = |slot: Option<usize>| plan.slots[slot.expect("both are textures")];
    let (input, output) = (slot(dispatch.slots.input), slot(Some(dispatch.slots.output)));
    if let Shader::Conv2dTiled(tile) = dispatch.shader {
        assert_eq!((chunk, per_group), (Chunk { first: 0, samples: plan.batch }, tile.rows()), "{name}");
        assert_eq!(params["out_size"].iter().product::<usize>(), per_sample, "{name}");
        return;
    }
    let quads = match dispatch.shader {
        Shader::WinogradInput | Shader::WinogradOutput => dispatch.workgroups[2],
        Shader::WinogradProductTiled(_) => number("out_quads"),
        _ => dispatch.workgroups[0] * PRODUCT_QUADS,
    };
    let read = params.get("in_quads").map_or(quads, |quads| quads[0]);
    let transforms = match dispatch.shader {
        Shader::WinogradInput => vec![(output, quads)],
        Shader::WinogradOutput => vec![(input, quads)],
        _ => vec![(input, read), (output, quads)],
    };
    let tiles = chunk.samples * per_sample;
    for (size, quads) in transforms {
        assert_eq!((size.width, size.layers), (number("width"), 36), "{name}");
        assert!(size.height >= quads * number("rows"), "{name}: {size:?} has no room for {quads} quads");
        assert!(number("width") * number("rows") >= tiles, "{name}: {tiles} tiles in {params:?}");
    }
    if let Shader::WinogradProductTiled(tile) = dispatch.shader {
        assert_eq!((number("tile_count"), per_group), (tiles, tile.rows()), "{name}");
        assert!(dispatch.workgroups[0] * tile.quads() >= quads, "{name}: every quad has a workgroup");
    } else if dispatch.shader == Shader::WinogradProduct {
        let block = WORKGROUP_WIDTH * PRODUCT_TILES;
        assert_eq!(
            (number("width") % block, number("block_count")),
            (0, tiles.div_ceil(block)),
            "{name}: whole blocks"
        );
        assert_eq!(per_group, block * LAVAPIPE.workgroup_rows, "{name}");
    } else {
        assert_eq!((number("tile_count"), number("first_sample")), (tiles, chunk.first), "{name}");
        assert_eq!(params["tiles"].iter().product::<usize>(), per_sample, "{name}");
        assert_eq!(per_group, WORKGROUP_WIDTH * LAVAPIPE.workgroup_rows, "{name}");
    }
    assert!(chunk.first + chunk.samples <= plan.batch, "{name}: {chunk:?} of {}", plan.batch);
}

/// The fields of a shader's parameters.
fn params(module: &Module) -> &[naga::StructMember] {
    let uniform = module.global_variables.iter().find(|(_, global)| global.space == AddressSpace::Uniform);
    let TypeInner::Struct { members, .. } = &module.types[uniform.expect("parameters").1.ty].inner else {
        panic!("parameters are a struct")
    };
    members
}

/// The executor passes parameters as a list of u32: no field may be of another type, and none may be preceded by padding.
#[test]
fn parameters_are_a_list_of_u32_without_gaps() {
    for shader in Shader::all() {
        let module = parse(shader);
        let mut offset = 0;
        for member in params(&module) {
            let inner = &module.types[member.ty].inner;
            let scalar = inner.scalar().unwrap_or_else(|| panic!("{}: {:?}", shader.name(), member.name));
            assert_eq!(scalar, naga::Scalar::U32, "{}: {:?}", shader.name(), member.name);
            assert_eq!(member.offset, offset, "{}: padding before {:?}", shader.name(), member.name);
            offset += inner.size(module.to_ctx());
        }
    }
}
