#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "Server-Sent Events (`text/event-stream`) as a protocol crate, without an allocator: [`Decoder`] over [`Fixed`] memory."
)]
#![no_std]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_core)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod counters;
mod decode;
mod encode;
mod event_source;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "std")]
mod reader;
#[cfg(feature = "alloc")]
mod reserve;
mod scanner;
mod storage;

#[cfg(doc)]
#[doc = include_str!("../docs/mistakes.md")]
pub mod mistakes {}

pub use decode::{
    Decoder, Event, EventTooLarge, Events, IdTooLong, Ignored, IgnoredReason, Item, Part,
    Unfinished,
};
pub use encode::{BufferTooSmall, Encoder, EventWriter, Frame, InvalidField, Pieces};
pub use event_source::{
    Action, Credentials, Disconnect, EventSource, InvalidUrl, Message, Messages, Origin,
    ReadTimeouts, ReadyState, Reason, ReconnectTo, Request, RetryPolicy, Signal, StreamItem, Wait,
    is_event_stream,
};
#[cfg(feature = "alloc")]
pub use owned::{OwnedEvent, OwnedEvents, decode_all};
#[cfg(feature = "std")]
pub use reader::{ReadError, Reader};
pub use storage::{Fixed, Heap, Storage};
