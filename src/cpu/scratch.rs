//! Memory that is kept from one task to the next.

use std::cell::RefCell;

use super::product::Line;

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch(Vec::new())) };
}

/// Memory that grows to the most that was asked of it: not cleared, which would take as long as what is done with it, and at
/// first from the system as it is touched, by whichever thread.
#[derive(Default)]
pub struct Scratch(Vec<Line>);

impl Scratch {
    /// `len` values of any content, the first at the start of a cache line.
    pub fn values(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(size_of::<Line>() / size_of::<f32>());
        if self.0.len() < lines {
            // Never both at once.
            self.0 = Vec::new();
            self.0 = bytemuck::zeroed_vec(lines);
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}

/// Lends `task` this thread's scratch memory, [`Scratch::values`]. The task must not start or wait for parallel work, which
/// could run another task, and want the same memory, on this thread.
pub fn with_scratch<R>(len: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| task(scratch.values(len)))
}
