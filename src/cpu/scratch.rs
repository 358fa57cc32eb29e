//! Memory that each thread keeps from one task to the next.

use std::cell::RefCell;

use bytemuck::Zeroable;

use super::product::Line;

thread_local! {
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Lends `task` this thread's scratch memory, `len` values of any content, the first at the start of a cache line. The
/// task must not start or wait for parallel work, which could run another task, and want the same memory, on this thread.
pub fn with_scratch<R>(len: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        let lines = len.div_ceil(size_of::<Line>() / size_of::<f32>());
        if scratch.len() < lines {
            scratch.resize(lines, Line::zeroed());
        }
        task(&mut bytemuck::cast_slice_mut(scratch)[..len])
    })
}
