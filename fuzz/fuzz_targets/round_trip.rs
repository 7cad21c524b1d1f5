//! Fuzz target: frames, encoded and decoded again.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::round_trip::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
