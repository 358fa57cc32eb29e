//! Memory that each thread keeps from one task to the next.

use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends `task` this thread's scratch memory, `len` values of any content. The task must not start or wait for parallel
/// work, which could run another task, and want the same memory, on this thread.
pub fn with_scratch<R>(len: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        task(&mut scratch[..len])
    })
}
