#![doc = include_str!("../README.md")]

mod capabilities;
mod check;
mod corpus;
mod reference;
mod request;
mod variants;

#[cfg(feature = "protocol")]
pub mod adapter;
#[cfg(feature = "protocol")]
mod protocol;
#[cfg(feature = "runner")]
pub mod runner;

pub use capabilities::{Capabilities, Capability, UnknownCapability};
pub use check::{Answer, ConnectAnswer, DecodeAnswer, Mismatch, RecordedRequest};
pub use corpus::{
    Body, Case, ClientOptions, CloseOn, Connect, Decode, DetailedItem, Encode, End, ExpectedOutput,
    ExpectedRequest, Failure, Final, Frame, Group, IgnoredReason, Item, Kind, LogEntry, Part,
    ReconnectTo, Refusal, Regions, Response, State, Statuses, Step, Storage, TooLarge, Unfinished,
    Verdict, cases, flags, groups,
};
pub use request::{ConnectRequest, DecodeRequest, EncodeRequest, Request};
pub use variants::{Chunking, LineEndings, Variant};
