//! Fuzz target: MIME types and origins.
#![no_main]

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/mod.rs"]
mod support;

use bodies::mime_origin::{Case, check};

libfuzzer_sys::fuzz_target!(|case: Case| check(&case));
