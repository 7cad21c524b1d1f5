//! Fuzz target: the connection state machine with arbitrary sequences of operations.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::event_source::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
