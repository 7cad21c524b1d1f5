//! Mutations of the reference implementation: each is a name for one bug. The reference decoder,
//! encoder and client test for these names where the bug would be.

mod connect;
mod decode;
mod encode;

use sse_conformance::{Kind, Verdict};

/// A mutation of the reference implementation, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mutation(Option<&'static str>);

impl Mutation {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn named(name: &'static str) -> Self {
        Self(Some(name))
    }

    pub(crate) fn name(self) -> &'static str {
        self.0.unwrap_or_default()
    }

    pub(crate) fn is(self, name: &str) -> bool {
        self.0 == Some(name)
    }
}

/// Deviations that are allowed: with each of them, every `must` case passes.
pub(crate) const ALLOWED: [(Kind, &str); 5] = [
    // Waiting for an LF after a CR is late, not wrong, if the end of the stream ends the wait
    // (A14).
    (Kind::Decode, "cr-waits-and-is-not-lost"),
    // "only digits" is true of no characters (A3).
    (Kind::Decode, "retry-empty-is-zero"),
    // The standard has no largest number (A4).
    (Kind::Decode, "retry-too-large-is-lost"),
    // Other spellings with the same meaning.
    (Kind::Encode, "empty-value-without-colon"),
    (Kind::Encode, "line-ends-are-cr"),
];

/// Returns the names of the mutations of one kind, each with the implementations in which the bug
/// has been seen.
///
/// Those for [`Verdict::Must`] are violations, and each must fail a `must` case. Those for
/// [`Verdict::May`] are not: with each of them every `must` case passes and at least one `may` case
/// differs.
pub(crate) fn of(kind: Kind, verdict: Verdict) -> &'static [(&'static str, &'static str)] {
    match (kind, verdict) {
        (Kind::Decode, Verdict::Must) => &decode::MUST,
        (Kind::Encode, Verdict::Must) => &encode::MUST,
        (Kind::Connect, Verdict::Must) => &connect::MUST,
        (Kind::Connect, Verdict::May) => &connect::MAY,
        (Kind::Decode, Verdict::May) => &decode::MAY,
        (Kind::Encode, Verdict::May) => &[],
    }
}
