//! What the tests of ops, plans and shaders share.
#![allow(dead_code)] // none of them uses all of it

pub mod backends;
pub mod cases;
pub mod compare;
pub mod compare_tests;
pub mod methods;
pub mod plans;
pub mod random;
