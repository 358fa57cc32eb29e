//! Plans against made-up limits: what fits is planned within them, what does not is refused with its reason.

mod support;

use support::plans::{LAVAPIPE, vgg16};
use vgg_wgpu::ops::winograd::Filtering;
use vgg_wgpu::ops::{Activation, Conv2d, Dense, Op, Padding, Window};
use vgg_wgpu::plan::{
    Choices, Chunk, Dispatch, Growth, Limits, MAX_LOOP_STEPS, Method, Plan, Product, Shader, Slot, Step,
};
use vgg_wgpu::{Error, Network, Node, Parameter, Shape};

fn refusal(limits: Limits, batch: Option<usize>) -> String {
    match Plan::new(&vgg16(), &limits, batch) {
        Err(Error::Device(text)) => text,
        other => panic!("expected a device error, found {other:?}"),
    }
}

#[test]
fn fc1_is_cut_into_textures_within_the_limit_that_cover_every_unit_once() {
    let plan = Plan::new(&vgg16(), &LAVAPIPE, Some(8)).expect("it fits");
    let fc1 = &plan.steps[plan.steps.len() - 2];
    let weights: Vec<_> = fc1.dispatches.iter().map(|dispatch| dispatch.weights.expect("a kernel")).collect();
    assert!(weights.len() > 1, "fc1's 392 MiB are more than one texture of 128 MiB");
    let mut next = 0;
    for part in &weights {
        assert!(part.size.bytes() <= LAVAPIPE.max_weights_bytes, "{part:?}");
        assert_eq!(part.quads[0], next, "parts leave no gap and do not overlap");
        next += part.quads[1];
    }
    assert_eq!(next, 4096 / 4);
    assert!(weights.iter().map(|part| part.size.bytes()).sum::<u64>() >= 25088 * 4096 * 4);
}

/// What hardware has, whose buffers may be so large.
fn hardware(max_binding_bytes: u64) -> Limits {
    Limits { max_binding_bytes, ..LAVAPIPE }.of_hardware()
}

#[test]
fn hardwares_buffers_are_as_large_as_it_allows_whatever_textures_may_be() {
    for (mib, parts_of_fc1, batch) in [(64, 7, 4), (128, 4, 8), (2047, 1, 8), (2047, 1, 32)] {
        let limits = hardware(mib << 20);
        let plan = Plan::new(&vgg16(), &limits, Some(batch).filter(|&batch| batch > 8)).expect("it fits");
        assert_eq!(plan.batch, batch);
        let is_fast = |step: &Step| step.shaders().contains("winograd");
        assert_eq!(plan.steps.iter().filter(|step| is_fast(step)).count(), 12);
        let dispatches = plan.steps.iter().flat_map(Step::all_dispatches);
        let weights = dispatches.filter_map(|dispatch| Some(dispatch.weights?.size));
        for size in plan.slots.iter().map(|slot| slot.size).chain(weights) {
            assert!(size.bytes() <= limits.max_binding_bytes, "{size:?}");
        }
        let more_layers = |slot: &Slot| slot.size.layers > limits.max_texture_layers;
        assert_eq!(plan.slots.iter().any(more_layers), batch > 8);
        assert_eq!(plan.steps[plan.steps.len() - 2].dispatches.len(), parts_of_fc1);
    }
    let refused = refusal(hardware(8 << 20), Some(1));
    assert!(refused.contains("conv2d") && refused.contains("a buffer of 12845056 bytes"), "{refused}");
}

#[test]
fn steps_never_write_what_they_read_and_keep_within_their_slots() {
    let plan = Plan::new(&vgg16(), &LAVAPIPE, Some(8)).expect("it fits");
    assert_eq!(plan.steps.len(), vgg16().nodes.len() + 1, "preprocessing and a step for each node");
    for step in &plan.steps {
        let (size, slot) = (step.output.texture(plan.batch), plan.slots[step.output_slot].size);
        assert!(size.width <= slot.width && size.height <= slot.height && size.layers <= slot.layers);
        for dispatch in step.all_dispatches() {
            assert_ne!(dispatch.slots.input, Some(dispatch.slots.output));
            assert!(dispatch.workgroups(plan.batch).iter().all(|&count| (1..=65535).contains(&count)), "{dispatch:?}");
        }
    }
    assert!(plan.slots.len() < plan.steps.len(), "textures are used again");
}

/// Whichever of two things a step launches, what a dispatch reads is what was last written to that memory.
#[test]
fn memory_serves_several_slots_and_each_is_read_before_another_is_written() {
    for (limits, batch) in [(LAVAPIPE, 8), (hardware(2047 << 20), 32)] {
        let plan = Plan::new(&vgg16(), &limits, Some(batch)).expect("it fits");
        let step_by_step: Vec<_> = plan.steps.iter().flat_map(|step| &step.dispatches).collect();
        let in_parts: Vec<_> = plan.parts().into_iter().flat_map(|part| plan.steps[part.start].launched()).collect();
        for dispatches in [step_by_step, in_parts] {
            let mut holds = vec![None; plan.memories().len()];
            for dispatch in dispatches {
                if let Some(input) = dispatch.slots.input {
                    let memory = plan.slots[input].memory;
                    assert_eq!(holds[memory], Some(input), "{dispatch:?}");
                    assert_ne!(plan.slots[dispatch.slots.output].memory, memory, "{dispatch:?}");
                }
                holds[plan.slots[dispatch.slots.output].memory] = Some(dispatch.slots.output);
            }
            assert_eq!(holds[plan.slots[plan.output().1].memory], Some(plan.output().1));
        }
        let (memories, bytes) = (plan.memories().len(), plan.activation_bytes());
        match limits.is_hardware {
            // Three that take turns, and two for transforms; 1.9 GB without turns.
            true => assert!(memories == 5 && bytes < 1_200_000_000, "{memories} memories, {bytes} bytes"),
            false => assert_eq!(memories, plan.slots.len(), "a texture has its own"),
        }
    }
}

#[test]
fn a_steps_shaders_are_named_once_with_their_number() {
    let plan = Plan::new(&vgg16(), &LAVAPIPE, Some(8)).expect("it fits");
    let shaders: Vec<String> = plan.steps.iter().map(|step| step.shaders()).collect();
    let of_chunks = "66 x winograd_input F(4x4), 66 x winograd_product broadcast, 66 x winograd_output F(4x4) pooled";
    assert_eq!(shaders[..3], ["preprocess", "conv2d_image", of_chunks]);
    assert_eq!(shaders[shaders.len() - 2], "4 x dense broadcast");
}

/// What other rasterisers get, and one whose threads are known to be a subgroup.
#[test]
fn only_threads_that_hand_values_to_each_other_run_shaders_that_do() {
    for broadcasts_between_threads in [false, true] {
        let limits = Limits { broadcasts_between_threads, ..LAVAPIPE };
        let plan = Plan::new(&vgg16(), &limits, Some(8)).expect("it fits");
        let mut dispatches = plan.steps.iter().flat_map(|step| step.launched());
        assert_eq!(dispatches.any(|dispatch| dispatch.shader.needs_broadcasts()), broadcasts_between_threads);
    }
}

#[test]
fn pools_are_computed_with_the_convolutions_before_them() {
    let plan = Plan::new(&vgg16(), &LAVAPIPE, Some(8)).expect("it fits");
    let pools: Vec<_> = plan.steps.windows(2).filter(|steps| steps[0].pooled.is_some()).collect();
    assert_eq!(pools.len(), 5);
    for steps in pools {
        let last = steps[0].launched().last().expect("stages");
        assert_eq!(
            (last.shader, last.slots.output),
            (Shader::WinogradOutputPooled(Filtering::F4), steps[1].output_slot)
        );
        assert_eq!(steps[1].shaders(), "pool2d", "where the map is wanted too");
    }
    let parts = plan.parts();
    assert_eq!((parts.len(), parts[2].clone()), (plan.steps.len() - 5, 2..4), "{parts:?}");
    assert!(
        parts.windows(2).all(|parts| parts[0].end == parts[1].start) && parts[parts.len() - 1].end == 22,
        "{parts:?}"
    );
}

/// A transform of all 8 images' first maps would take 240 MB; chunks of the batch take turns with 4, or with one block's 5.
#[test]
fn winograds_transforms_are_bounded_and_cover_the_batch_once() {
    let plan = Plan::new(&vgg16(), &LAVAPIPE, Some(8)).expect("it fits");
    let chunks_of = |step: &Step| -> Vec<(Chunk, usize)> {
        let inputs = step.dispatches.iter().filter(|dispatch| matches!(dispatch.shader, Shader::WinogradInput(_)));
        let chunk = |dispatch: &Dispatch| match dispatch.growth {
            Growth::Tiles { chunk, per_sample, .. } => (chunk, per_sample),
            Growth::Samples(_) => panic!("{dispatch:?}"),
        };
        inputs.map(chunk).collect()
    };
    let steps: Vec<_> = plan.steps.iter().map(chunks_of).filter(|chunks| !chunks.is_empty()).collect();
    assert_eq!(steps.len(), 12, "all convolutions but the first, of three channels");
    for chunks in steps {
        let (mut next, per_sample) = (0, chunks[0].1);
        for (chunk, _) in chunks {
            assert_eq!(chunk.first, next);
            next += chunk.count;
        }
        assert_eq!(next, 8 * per_sample);
    }
    let transforms: Vec<_> =
        plan.slots.iter().map(|slot| slot.size).filter(|size| size.layers == 1 && size.width > 1000).collect();
    assert!(transforms.len() == 2 && transforms.iter().all(|size| size.bytes() <= 5 << 20), "{transforms:?}");
    // A smaller batch leaves chunks out.
    let last = plan.steps[2].dispatches.last().expect("stages");
    assert_eq!((last.workgroups(7)[1], last.workgroups(8)[1] > 0), (0, true));
}

/// A block has 64 tiles. F(7x7) has 16 of a map of 28 x 28, so with two samples half of what is computed is thrown away.
#[test]
fn methods_are_timed_with_samples_that_fill_what_they_compute_at_once() {
    let least = |method: Method, side| method.least_samples(Shape::Map { h: side, w: side, c: 512 });
    let winograd = |filtering| Method::Winograd(filtering, Product::Broadcast);
    assert_eq!([224, 28, 14].map(|side| least(winograd(Filtering::F7), side)), [1, 4, 16]);
    assert_eq!([224, 28, 14].map(|side| least(winograd(Filtering::F4), side)), [1, 2, 4]);
    assert_eq!(least(Method::Direct, 14), 1);
}

#[test]
fn kernels_whose_transform_is_too_wide_for_an_upload_are_not_transformed() {
    let methods = |c_in: usize| {
        let kernel = Parameter::in_memory("kernel", vec![3, 3, c_in, 16], vec![0.0; 9 * c_in * 16]);
        let (input, output) = (Shape::Map { h: 14, w: 14, c: c_in }, Shape::Map { h: 14, w: 14, c: 16 });
        let window = Window::resolve([14, 14], [3, 3], [1, 1], Padding::Same).expect("a window");
        let op =
            Conv2d { window, c_in, c_out: 16, activation: Activation::Linear, kernel, bias: None, batch_norm: None };
        let nodes = vec![Node { layer: "wide".into(), op: Op::Conv2d(op), input, output }];
        let mut methods = Vec::new();
        let network = Network { input, preprocess: None, nodes };
        let remember = |_: &Node, candidates: &[Method]| {
            methods = candidates.to_vec();
            Ok(candidates[0])
        };
        Choices::for_network(&network, &LAVAPIPE, remember).expect("nothing fails");
        [Filtering::F4, Filtering::F7]
            .map(|filtering| methods.contains(&Method::Winograd(filtering, Product::Broadcast)))
    };
    // Rows of 16 output channels, at 36 and 81 frequencies.
    assert_eq!(methods(3200), [true, true]);
    assert_eq!(methods(3300), [true, false]);
}

#[test]
fn the_batch_chosen_shrinks_with_the_limits() {
    let batch = |limits| Plan::new(&vgg16(), &limits, None).expect("it fits").batch;
    assert_eq!(batch(LAVAPIPE), 8);
    // 512 channels are 128 layers a sample.
    assert_eq!(batch(Limits { max_texture_layers: 300, ..LAVAPIPE }), 2);
    assert_eq!(batch(Limits { max_texture_layers: 128, ..LAVAPIPE }), 1);
}

#[test]
fn what_cannot_fit_is_refused_with_the_layer_and_the_limit() {
    let layers = refusal(Limits { max_texture_layers: 127, ..LAVAPIPE }, None);
    assert!(layers.contains("127") && layers.contains("conv2d"), "{layers}");
    let side = refusal(Limits { max_texture_side: 200, ..LAVAPIPE }, None);
    assert!(side.contains("224 x 224") && side.contains("200"), "{side}");
    let workgroups = refusal(Limits { max_workgroups: 27, ..LAVAPIPE }, None);
    assert!(workgroups.contains("workgroups") && workgroups.contains("27"), "{workgroups}");
    let binding = refusal(Limits { max_binding_bytes: 150_000, ..LAVAPIPE }, Some(1));
    assert!(binding.contains("150528") && binding.contains("150000"), "{binding}");
}

#[test]
fn a_batch_of_nothing_is_refused() {
    let Err(Error::Usage(text)) = Plan::new(&vgg16(), &LAVAPIPE, Some(0)) else { panic!("it must be refused") };
    assert!(text.contains("batch of 0"), "{text}");
}

/// Longer sums would silently be cut short on Mesa before version 23.
#[test]
fn sums_longer_than_mesas_loops_are_refused() {
    let dense = |inputs: usize, limits: &Limits| {
        let kernel = Parameter::in_memory("kernel", vec![inputs, 1], vec![0.0; inputs]);
        let op = Dense { inputs, units: 1, activation: Activation::Linear, kernel, bias: None, batch_norm: None };
        let (input, output) = (Shape::Vector(inputs), Shape::Vector(1));
        let nodes = vec![Node { layer: "wide".into(), op: Op::Dense(op), input, output }];
        Plan::new(&Network { input, preprocess: None, nodes }, limits, Some(1))
    };
    assert!(dense(4 * MAX_LOOP_STEPS, &LAVAPIPE).is_ok());
    assert!(dense(1 << 20, &hardware(128 << 20)).is_ok());
    let Err(Error::Device(text)) = dense(4 * MAX_LOOP_STEPS + 1, &LAVAPIPE) else { panic!("it must be refused") };
    assert!(text.contains("wide") && text.contains("65536"), "{text}");
}
