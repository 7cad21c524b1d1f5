#![doc = include_str!("../README.md")]

mod capabilities;
mod corpus;
mod judge;
mod reference;
mod request;
mod ways;

#[cfg(feature = "protocol")]
pub mod adapter;
#[cfg(feature = "protocol")]
mod protocol;
#[cfg(feature = "runner")]
pub mod runner;

pub use capabilities::{Capabilities, Capability, UnknownCapability};
pub use corpus::{
    Body, Case, ClientOptions, CloseOn, Connect, Decode, Encode, Encoded, End, Entry, Failure,
    Final, Frame, Group, Item, Kind, ReconnectTo, Refusal, Response, Sent, Statuses, Step, Storage,
    TooLarge, Verdict, cases, flags, groups,
};
pub use judge::{Answer, ConnectAnswer, DecodeAnswer, Made, Mismatch};
pub use request::{ConnectRequest, DecodeRequest, EncodeRequest, Request};
pub use ways::{Feeding, LineEnds, Way};
