//! Shared by the integration tests: the naive models, which define the expected results, and the
//! driver that records what a decoder does.
//!
//! Each test program compiles its own copy and uses a part of it.
#![allow(dead_code, reason = "no test program uses all of it")]

pub(crate) mod connection;
pub(crate) mod mime;
pub(crate) mod model;
pub(crate) mod run;
