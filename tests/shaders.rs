//! Every shader: valid WGSL, translatable for every API, kept in registers, and declaring what Rust passes to it.

mod support;

use std::collections::{BTreeSet, HashMap, HashSet};

use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Arena, Expression, Function, GlobalVariable, Handle, Module, TypeInner};
use support::cases;
use support::methods;
use support::plans::{LAVAPIPE, vgg16};
use vgg_wgpu::ops::winograd::Filtering;
use vgg_wgpu::plan::{
    BLOCK, CONV2D_3X3_ROWS, CONV2D_IMAGE_TILE, CONV2D_QUADS, CONV2D_ROWS, DENSE_GROUP_QUADS, DENSE_SAMPLES,
    PRODUCT_GROUP_QUADS, Product,
};
use vgg_wgpu::plan::{
    Dispatch, Growth, Layout, Limits, Plan, Shader, Step, Texels, Tile, WORKGROUP_WIDTH, activation_code,
};
use vgg_wgpu::plan::{SLAB, SPLIT_BYTES, SPLIT_QUADS, SPLIT_SAMPLES, SPLIT_THREADS, TextureSize};

fn parse(shader: Shader, texels: Texels) -> Module {
    let source = shader.source(texels);
    naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}: {}", shader.name(), e.emit_to_string(&source)))
}

fn validate(name: &str, module: &Module) -> ModuleInfo {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.validate(module).unwrap_or_else(|problem| panic!("{name}: {problem:?}"))
}

/// A shader as executors launch it: with an activation, workgroups of so many rows, and a place of its texels.
type Variant = (Shader, u32, usize, Texels);

/// Those that plans of the cases and of VGG16 use with any choice of methods, on a rasteriser and on hardware.
fn variants() -> BTreeSet<Variant> {
    let networks: Vec<_> = cases::all().into_iter().map(|case| (case.network, case.n)).chain([(vgg16(), 8)]).collect();
    let (families, mut variants) = (methods::families(), BTreeSet::new());
    for workgroup_rows in [1, 8] {
        let limits = Limits { workgroup_rows, ..LAVAPIPE };
        for ((network, batch), family) in networks.iter().flat_map(|network| families.iter().map(move |f| (network, f)))
        {
            let choices = family.choices(network, &limits);
            let limits = family.limits(&limits);
            let plan = Plan::with_choices(network, &limits, Some(*batch), &choices).expect("it fits");
            let dispatches = plan.steps.iter().flat_map(Step::all_dispatches);
            variants.extend(dispatches.flat_map(|launch| {
                Texels::ALL.map(|texels| (launch.shader, activation_code(launch.activation), workgroup_rows, texels))
            }));
        }
    }
    for shader in Shader::all() {
        assert!(variants.iter().any(|variant| variant.0 == shader), "no plan uses {}", shader.name());
    }
    variants
}

/// The variant without overrides, as a driver gets it.
fn specialise((shader, activation, workgroup_rows, texels): Variant) -> (Module, ModuleInfo) {
    let (module, name) = (parse(shader, texels), shader.name());
    let info = validate(name, &module);
    let values = [("WORKGROUP_ROWS", workgroup_rows as f64), ("ACTIVATION", activation.into())];
    let constants: PipelineConstants = values.map(|(name, value)| (name.to_owned(), value)).into();
    let (module, info) = process_overrides(&module, &info, None, &constants).expect(name);
    (module.into_owned(), info.into_owned())
}

#[test]
fn every_variant_is_translated_for_vulkan_metal_and_direct3d() {
    for variant in variants() {
        let ((module, info), name) = (specialise(variant), format!("{variant:?}"));
        let words = spv::write_vec(&module, &info, &spv::Options::default(), None).expect(&name);
        assert!(!words.is_empty(), "{name}");
        let (metal, _) = msl::write_string(&module, &info, &Default::default(), &Default::default()).expect(&name);
        assert!(metal.contains("kernel void"), "{name}");
        let mut text = String::new();
        let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
        hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None).expect(&name);
        let [x, y, z] = module.entry_points[0].workgroup_size;
        assert!(text.contains(&format!("numthreads({x}, {y}, {z})")), "{name}");
    }
}

/// GPUs have no registers with an address: an array, a vector or a matrix of a thread's own that is indexed by what is not
/// known when the shader is compiled lies in memory, or becomes a chain of comparisons.
#[test]
fn no_variant_indexes_what_should_be_in_registers() {
    for variant in variants() {
        let (module, _) = specialise(variant);
        assert_eq!(dynamic_indexing(&module), Vec::<String>::new(), "{variant:?}");
    }
}

/// Where `module` indexes variables of a function or a thread, or values, by an index that is no constant.
fn dynamic_indexing(module: &Module) -> Vec<String> {
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    let functions = module.functions.iter().map(|(_, function)| function).chain(entries);
    let in_function = |function: &Function| -> Vec<String> {
        let found = function.expressions.iter().filter(|(_, expression)| match **expression {
            Expression::Access { base, index } => {
                !is_constant(&function.expressions[index]) && !is_shared(base, function, &module.global_variables)
            }
            _ => false,
        });
        let name = function.name.as_deref().unwrap_or("the entry point");
        found.map(|(_, expression)| format!("{name}: {expression:?}")).collect()
    };
    functions.flat_map(in_function).collect()
}

fn is_constant(index: &Expression) -> bool {
    matches!(index, Expression::Literal(_) | Expression::Constant(_))
}

/// Whether an access begins at a binding or at workgroup memory, which have addresses.
fn is_shared(base: Handle<Expression>, function: &Function, globals: &Arena<GlobalVariable>) -> bool {
    match function.expressions[base] {
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => is_shared(base, function, globals),
        Expression::GlobalVariable(global) => globals[global].space != AddressSpace::Private,
        _ => false,
    }
}

#[test]
fn dynamic_indexing_is_found_where_it_is() {
    let count = |body: &str| {
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> shared_values: array<vec4<f32>>;
            var<workgroup> tile: array<f32, 8>;
            var<private> own: array<f32, 4>;
            const THIRD = 2u;
            @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
        );
        let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
        validate(body, &module);
        dynamic_indexing(&module).len()
    };
    let found = [
        "var a: array<f32, 4>; a[i] = 1.0;",
        "var a: array<array<f32, 4>, 4>; a[1][i] = 1.0;",
        "var a: array<array<f32, 4>, 4>; a[i][1] = 1.0;",
        "var v = vec4<f32>(); v[i] = 1.0;",
        "let v = shared_values[0]; shared_values[1].x = v[i];",
        "var m = mat4x4<f32>(); shared_values[0] = m[i];",
        "own[i] = 1.0;",
        "var a: array<f32, 4>; for (var k = 0u; k < 4u; k++) { a[k] = 1.0; }",
    ];
    for body in found {
        assert_eq!(count(body), 1, "{body}");
    }
    let fine = [
        "var a: array<f32, 4>; a[THIRD] = 1.0;",
        "var m = mat4x4<f32>(); m[1][THIRD + 1u] = 1.0;",
        "shared_values[i].x = 1.0;",
        "shared_values[0][i % 4u] = 1.0;",
        "tile[i] = 1.0;",
        "own[3] = 1.0;",
    ];
    for body in fine {
        assert_eq!(count(body), 0, "{body}");
    }
    let through_a_pointer = "fn fill(values: ptr<function, array<f32, 4>>, i: u32) { (*values)[i] = 1.0; }
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
            var a: array<f32, 4>;
            fill(&a, i);
        }";
    let module = naga::front::wgsl::parse_str(through_a_pointer).expect("valid WGSL");
    assert_eq!(dynamic_indexing(&module).len(), 1);
}

/// The names of what a shader may be given, in the order in which the executor binds them.
const BINDINGS: [&str; 7] = ["params", "input", "output", "weights", "channels", "pixels", "pitches"];

#[test]
fn bindings_have_the_numbers_that_the_executor_gives_them() {
    let all = Shader::all().into_iter().flat_map(|shader| Texels::ALL.map(|texels| (shader, texels)));
    for (shader, texels) in all {
        let module = parse(shader, texels);
        let is_own = |space| matches!(space, AddressSpace::Private | AddressSpace::WorkGroup);
        for (_, global) in module.global_variables.iter().filter(|(_, global)| !is_own(global.space)) {
            let (name, binding) = (global.name.as_deref().expect("a name"), global.binding.expect("a binding"));
            let expected = BINDINGS.iter().position(|&known| known == name).expect(name);
            assert_eq!((binding.group, binding.binding as usize), (0, expected), "{}: {name}", shader.name());
            let in_buffer = match name {
                "output" => texels != Texels::Textures,
                "input" | "weights" => texels == Texels::Buffers,
                _ => continue,
            };
            let is_buffer = matches!(global.space, AddressSpace::Storage { .. });
            assert_eq!(is_buffer, in_buffer, "{}: {name}", shader.name());
        }
    }
}

#[test]
fn workgroups_and_tiles_are_as_large_as_plans_count_them() {
    for shader in Shader::all() {
        let (module, name) = (parse(shader, Texels::Textures), shader.name());
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
            Shader::Conv2d3x3 | Shader::Conv2d3x3Broadcast => {
                vec![("TILE_ROWS", CONV2D_3X3_ROWS), ("TILE_QUADS", CONV2D_QUADS)]
            }
            Shader::Conv2dImage => {
                let [columns, rows] = CONV2D_IMAGE_TILE;
                vec![("TILE_COLUMNS", columns), ("TILE_ROWS", rows), ("TILE_QUADS", CONV2D_QUADS)]
            }
            Shader::Dense | Shader::DenseBroadcast => {
                vec![("TILE_SAMPLES", DENSE_SAMPLES), ("GROUP_QUADS", DENSE_GROUP_QUADS)]
            }
            Shader::DenseSplit => {
                vec![("SPLIT_SAMPLES", SPLIT_SAMPLES), ("SPLIT_QUADS", SPLIT_QUADS), ("GROUP_QUADS", DENSE_GROUP_QUADS)]
            }
            Shader::WinogradInput(filtering) => vec![("OUT", filtering.out())],
            Shader::WinogradProduct => {
                vec![("TILE_QUADS", Product::Registers.quads()), ("GROUP_QUADS", PRODUCT_GROUP_QUADS)]
            }
            Shader::WinogradProductBroadcast | Shader::WinogradProductHalf => {
                vec![("TILE_QUADS", Product::Broadcast.quads()), ("GROUP_QUADS", PRODUCT_GROUP_QUADS)]
            }
            Shader::Conv2dTiled(tile) | Shader::WinogradProductTiled(tile) => {
                let [rows, columns] = tile.sides();
                vec![("TILE_ROWS", rows), ("TILE_COLUMNS", columns), ("TILE_QUADS", tile.quads()), ("SLAB", SLAB)]
            }
            _ => vec![],
        };
        let blocks = name.starts_with("winograd").then_some(("TILE_BLOCK", BLOCK));
        let planned: BTreeSet<_> = planned.into_iter().chain(blocks).collect();
        assert_eq!(constants(&module), planned, "{name}");
    }
}

/// A shader's constants that plans count with.
fn constants(module: &Module) -> BTreeSet<(&str, usize)> {
    let constants = module.constants.iter().filter_map(|(_, constant)| {
        let naga::Expression::Literal(naga::Literal::U32(value)) = module.global_expressions[constant.init] else {
            return None;
        };
        Some((constant.name.as_deref()?, value as usize))
    });
    let is_planned = |name: &str| {
        name.starts_with("TILE_")
            || name.starts_with("SPLIT_")
            || name == "GROUP_QUADS"
            || name == "SLAB"
            || name == "OUT"
    };
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
    let module = parse(dispatch.shader, Texels::Textures);
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
            let limits = family.limits(&LAVAPIPE);
            let plan = Plan::with_choices(&network, &limits, Some(batch), &choices).expect("it fits");
            let mut input = plan.input;
            for (index, step) in plan.steps.iter().enumerate() {
                let own = step.dispatches.iter().map(|dispatch| (dispatch, step.output));
                let pooled = step.pooled.iter().flatten();
                let pooled = pooled.map(|dispatch| (dispatch, pooled_output(dispatch, &plan, index)));
                for (dispatch, output) in own.chain(pooled) {
                    check_sizes(dispatch, input, output, plan.batch);
                    check_transforms(dispatch, &plan, &limits);
                    seen.insert(dispatch.shader);
                }
                input = step.output;
            }
        }
    }
    assert_eq!(seen.len(), Shader::all().len(), "a shader that no case runs");
}

/// The last of a convolution's stages writes the pool's output in its place, the others have nothing to do with it.
fn pooled_output(dispatch: &Dispatch, plan: &Plan, index: usize) -> Layout {
    match dispatch.shader {
        Shader::WinogradOutputPooled(_) => plan.steps[index + 1].output,
        _ => plan.steps[index].output,
    }
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
            "layer_inputs" | "first_quad" | "quads" | "kernel" | "stride" | "before" | "is_average" | "is_vector" => {
                continue;
            }
            // Of Winograd's transforms, in a function of their own.
            "tiles" | "block_rows" | "first_tile" | "tile_count" | "block_count" | "squares" => continue,
            unknown => panic!("{name}: what bounds {unknown}?"),
        };
        assert_eq!(value, &expected, "{name}: {field}");
    }
    if dispatch.shader == Shader::Conv2dImage {
        assert!(output.width.is_multiple_of(2), "{name}: {output:?} has no pairs of columns");
    }
    let Some(weights) = dispatch.weights else { return };
    if dispatch.shader == Shader::Preprocess {
        let levels = TextureSize { width: 256, height: 3, layers: 1 };
        assert_eq!(weights.size, levels, "{name}");
        return;
    }
    if dispatch.shader.tile().is_some() {
        assert_eq!(weights.size.width, output.quads(), "{name}");
        assert_eq!(weights.size.height, 4 * input.quads(), "{name}");
    } else if is_dense(dispatch.shader) {
        let [inputs, quads] = [params["layer_inputs"][0], params["quads"][0]];
        assert_eq!(weights.size.width, inputs * DENSE_GROUP_QUADS, "{name}");
        assert_eq!(weights.size.height, quads.div_ceil(DENSE_GROUP_QUADS), "{name}");
        assert!(inputs.is_multiple_of(8) && inputs * weights.size.layers >= 4 * input.quads(), "{name}: {weights:?}");
        assert!(params["first_quad"][0] + params["quads"][0] <= output.quads(), "{name}: more units than there are");
    } else if is_product_in_registers(dispatch.shader) {
        let texels = 4 * input.quads().next_multiple_of(2) * PRODUCT_GROUP_QUADS;
        assert_eq!(weights.size.width, texels, "{name}");
        assert_eq!(weights.size.height * PRODUCT_GROUP_QUADS, params["block_rows"][0], "{name}");
    } else {
        assert_eq!(weights.size.width, 4 * input.quads(), "{name}");
        assert_eq!(weights.size.height, output.quads().next_multiple_of(CONV2D_QUADS), "{name}");
    }
    if !is_dense(dispatch.shader) {
        // Of one shader, the bias is behind the taps.
        let bias = usize::from(dispatch.shader == Shader::Conv2dImage);
        let taps = || params["kernel"].iter().product::<usize>() + bias;
        assert_eq!(weights.size.layers, weights.transform.map_or_else(taps, Filtering::frequencies), "{name}");
    }
}

fn is_dense(shader: Shader) -> bool {
    matches!(shader, Shader::Dense | Shader::DenseBroadcast | Shader::DenseSplit)
}

fn is_product_in_registers(shader: Shader) -> bool {
    matches!(shader, Shader::WinogradProduct | Shader::WinogradProductBroadcast | Shader::WinogradProductHalf)
}

/// Of the transforms that a dispatch reads or writes.
fn frequencies(dispatch: &Dispatch) -> usize {
    match (dispatch.shader, dispatch.weights.and_then(|weights| weights.transform)) {
        (Shader::WinogradInput(filtering), _) => filtering.frequencies(),
        (Shader::WinogradOutput(filtering) | Shader::WinogradOutputPooled(filtering), _) => filtering.frequencies(),
        (shader, transform) => transform.unwrap_or_else(|| panic!("{shader} reads transforms")).frequencies(),
    }
}

/// Winograd's shaders read and write whole blocks of rows of all frequencies, and pixels of the batch's samples.
fn check_transforms(dispatch: &Dispatch, plan: &Plan, limits: &Limits) {
    let Growth::Tiles { chunk, per_sample, per_group } = dispatch.growth else { return };
    let (name, params) = (dispatch.shader.name(), named_params(dispatch));
    let number = |field: &str| params[field][0];
    let slot = |slot: Option<usize>| plan.slots[slot.expect("both are textures")].size;
    let (input, output) = (slot(dispatch.slots.input), slot(Some(dispatch.slots.output)));
    assert!(chunk.first + chunk.count <= plan.batch * per_sample, "{name}: {chunk:?} of {}", plan.batch);
    if let Shader::Conv2dTiled(tile) = dispatch.shader {
        assert_eq!((chunk.first, chunk.count, per_group), (0, plan.batch * per_sample, tile.rows()), "{name}");
        assert_eq!(params["out_size"].iter().product::<usize>(), per_sample, "{name}");
        return;
    }
    let [x, _, z] = dispatch.workgroups;
    let transforms = match dispatch.shader {
        Shader::WinogradInput(_) => vec![(output, number("in_quads"))],
        Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => vec![(input, number("block_rows"))],
        _ => vec![(input, number("in_quads")), (output, number("block_rows"))],
    };
    for (size, block_rows) in transforms {
        // The input's transform writes two frequencies at once.
        let width = frequencies(dispatch).next_multiple_of(2) * BLOCK;
        assert!(size.width >= width && size.layers == 1, "{name}: {size:?}");
        let rows = chunk.count.div_ceil(BLOCK) * block_rows;
        assert!(size.height >= rows, "{name}: {size:?} has no room for {rows} rows");
    }
    let rows = limits.workgroup_rows;
    let groups = match dispatch.shader {
        Shader::WinogradInput(_) => (WORKGROUP_WIDTH * rows, number("in_quads"), z),
        Shader::WinogradOutput(_) | Shader::WinogradOutputPooled(_) => (WORKGROUP_WIDTH * rows, number("out_quads"), z),
        // Its workgroups have as many threads as the tile needs.
        Shader::WinogradProductTiled(tile) => (tile.rows(), number("out_quads").div_ceil(tile.quads()), x),
        Shader::WinogradProduct => (BLOCK * rows, number("block_rows") / Product::Registers.quads(), x),
        _ => (BLOCK * rows, number("block_rows") / Product::Broadcast.quads(), x),
    };
    assert_eq!((per_group, groups.1), (groups.0, groups.2), "{name}: every quad is computed");
    if dispatch.shader == Shader::WinogradProductHalf {
        assert!(chunk.first == 0 && chunk.count <= BLOCK / 2, "{name}: {chunk:?} is more than it computes");
    }
    if is_product_in_registers(dispatch.shader) {
        assert_eq!(number("block_count"), chunk.count.div_ceil(BLOCK), "{name}");
    } else {
        assert_eq!(number("tile_count"), chunk.count, "{name}");
    }
    if params.contains_key("first_tile") {
        // Squares are never cut: neither by a chunk's end nor by a sample's.
        let squares = number("squares") == 1;
        assert!(!squares || params["tiles"].iter().chain([&chunk.first, &chunk.count]).all(|n| n % 2 == 0), "{name}");
        assert!(number("squares") <= 1 && (!squares || chunk.first % 4 + chunk.count % 4 == 0), "{name}: {chunk:?}");
        assert_eq!(number("first_tile"), chunk.first, "{name}");
        assert_eq!(params["tiles"].iter().product::<usize>(), per_sample, "{name}");
    } else {
        let kernel = dispatch.weights.expect("a kernel");
        assert!(number("block_rows") >= kernel.quads[1], "{name}: {kernel:?}");
    }
}

/// The fields of a shader's parameters.
fn params(module: &Module) -> &[naga::StructMember] {
    let uniform = module.global_variables.iter().find(|(_, global)| global.name.as_deref() == Some("params"));
    let TypeInner::Struct { members, .. } = &module.types[uniform.expect("parameters").1.ty].inner else {
        panic!("parameters are a struct")
    };
    members
}

/// The executor passes parameters as a list of u32: no field may be of another type, and none may be preceded by padding.
#[test]
fn parameters_are_a_list_of_u32_without_gaps() {
    for shader in Shader::all() {
        let module = parse(shader, Texels::Textures);
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
