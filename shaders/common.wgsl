// What every shader has before it.

// Threads of a workgroup along x.
const WORKGROUP_WIDTH = 8u;

// Threads of a workgroup along y, chosen for the adapter.
override WORKGROUP_ROWS: u32 = 1u;

// The elementwise activation by its number in a plan.
fn activate(activation: u32, x: vec4<f32>) -> vec4<f32> {
    switch activation {
        case 1u: {
            return max(x, vec4<f32>());
        }
        case 2u: {
            return 1.0 / (1.0 + exp(-x));
        }
        case 3u: {
            // Beyond 10, tanh is 1 in f32, and the exponentials that some drivers make of it overflow.
            return tanh(clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0)));
        }
        default: {
            return x;
        }
    }
}
