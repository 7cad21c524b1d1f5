//! This crate measured beside the other SSE crates, over the streams and frames of
//! `sse_proto_benches`.
//!
//! `run.sh` makes everything; `cargo run --release -- --help` tells how to make parts of it.

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
