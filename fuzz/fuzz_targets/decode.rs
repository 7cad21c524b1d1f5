//! Fuzz target: decoding under arbitrary cuts, whatever is asked for.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::decode::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
