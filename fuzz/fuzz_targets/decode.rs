//! Fuzz target: decoding in arbitrary chunks, with arbitrary calls.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::decode::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
