//! The bodies of the fuzz targets. `fuzz/fuzz_targets` runs them with a fuzzer, ordinary tests with
//! proptest, and `tests/fuzz.rs` with the stored inputs.
//!
//! Each body has a `Case`, which an input is parsed into, and a `check`, which ends in an assertion
//! against a model. Test programs that use this module also need `support`.
#![allow(dead_code, reason = "no test program uses all of it")]

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

/// A fuzz target that takes an input as bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Checks an input.
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

/// Parses an input into a case, as the macro `fuzz_target` does.
pub(crate) fn case<C: for<'a> Arbitrary<'a>>(input: &[u8]) -> C {
    C::arbitrary_take_rest(Unstructured::new(input)).expect("any bytes are a case")
}
