//! What the op tests share.

pub mod backends;
pub mod cases;
pub mod compare;
pub mod compare_tests;
pub mod random;
