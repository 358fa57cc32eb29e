// What every shader has before it.

// Threads of a workgroup along x.
const WORKGROUP_WIDTH = 8u;

// Threads of a workgroup along y, chosen for the adapter.
override WORKGROUP_ROWS: u32 = 1u;

// The number of the activation in a plan. Known when the shader is compiled: Mesa's lavapipe computes every branch of what
// is not, exponentials among them, and keeps one.
override ACTIVATION: u32 = 0u;

// Two matrices of four texels each, as threads load them or hand them to each other.
struct Matrices {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

fn activate(x: vec4<f32>) -> vec4<f32> {
    switch ACTIVATION {
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
