//! Compares this crate with other SSE crates, on the streams and frames of `sse_proto_benches`.
//!
//! `run.sh` measures everything; `cargo run --release -- --help` shows how to measure parts.

pub mod chart;
pub mod decoders;
pub mod encoders;
pub mod growth;
pub mod loopback;
pub mod measure;
pub mod stream_tables;
pub mod streams;
pub mod tables;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrating.md")]
mod migrating {}
