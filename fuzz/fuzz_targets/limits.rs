//! Fuzz target: heap and fixed storage with arbitrary limits.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::limits::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
