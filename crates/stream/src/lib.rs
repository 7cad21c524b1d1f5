#![doc = include_str!("../README.md")]

mod body;
mod decode;
mod encoded_frame;
mod error;
mod event_source;
mod event_stream;
#[cfg(feature = "hyper-util-0_1")]
mod hyper_util;
mod item_stream;
#[cfg(feature = "json")]
mod json;
mod listeners;
#[cfg(feature = "reqwest-0_13")]
mod reqwest;
mod sse_body;

pub use body::{BodyChunk, BodyStream};
pub use encoded_frame::EncodedFrame;
pub use error::Error;
#[cfg(feature = "json")]
pub use error::JsonError;
pub use event_source::{
    ClientEvents, Connect, ConnectError, EventSource, FinalUrl, Handle, InvalidUrl, Lost, Received,
    Sleep,
};
pub use event_stream::EventStream;
#[cfg(feature = "hyper-util-0_1")]
pub use hyper_util::HyperUtil;
pub use item_stream::{ItemStream, OwnedItem};
#[cfg(feature = "json")]
pub use json::JsonStream;
pub use listeners::Listeners;
#[cfg(feature = "reqwest-0_13")]
pub use reqwest::Reqwest;
pub use sse_body::{SseBody, event_stream_response};
