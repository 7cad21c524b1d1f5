//! What the integration tests share: the naive model that says what is right, and the driver that writes down what a
//! decoder does.
//!
//! Each test file compiles this by itself and uses a part of it.
#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod connection;
pub(crate) mod mime;
pub(crate) mod model;
pub(crate) mod run;
