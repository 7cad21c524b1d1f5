//! Fuzz target: the streaming writer with arbitrary pieces and sinks that fail.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::writer::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
