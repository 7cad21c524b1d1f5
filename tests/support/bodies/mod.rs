//! The bodies of the fuzz targets. `fuzz/fuzz_targets` calls each with what a fuzzer makes up, ordinary tests call them
//! with what proptest makes up, and `tests/fuzz.rs` with the inputs that are kept.
//!
//! Each has a `Case`, which is what the bytes of an input mean, and a `check`, which ends in an assertion against a
//! model. It stands beside `support` in each test that uses it.
#![allow(dead_code, reason = "no test file uses all of it")]

use arbitrary::{Arbitrary, Unstructured};

pub(crate) mod decode;
pub(crate) mod event_source;
pub(crate) mod frames;
pub(crate) mod input;
pub(crate) mod limits;
pub(crate) mod mime_origin;
pub(crate) mod reading;
pub(crate) mod round_trip;
pub(crate) mod writer;

/// A target, for those who have inputs as bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// What the fuzz target does with an input.
    pub(crate) check: fn(&[u8]),
}

pub(crate) const TARGETS: [Target; 6] = [
    target("decode", |input| decode::check(&case(input))),
    target("event_source", |input| event_source::check(&case(input))),
    target("limits", |input| limits::check(&case(input))),
    target("mime_origin", |input| mime_origin::check(&case(input))),
    target("round_trip", |input| round_trip::check(&case(input))),
    target("writer", |input| writer::check(&case(input))),
];

const fn target(name: &'static str, check: fn(&[u8])) -> Target {
    Target { name, check }
}

/// The case that these bytes are, as the macro `fuzz_target` reads it.
pub(crate) fn case<C: for<'a> Arbitrary<'a>>(input: &[u8]) -> C {
    C::arbitrary_take_rest(Unstructured::new(input)).expect("any bytes are a case")
}
