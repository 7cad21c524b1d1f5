#![doc = include_str!("../README.md")]

mod body;
mod decoded;
mod encoded_frame;
mod error;
mod event_stream;
mod item_stream;
#[cfg(feature = "json")]
mod json;
mod sse_body;

pub use body::{BodyChunk, BodyStream};
pub use encoded_frame::EncodedFrame;
pub use error::Error;
#[cfg(feature = "json")]
pub use error::JsonError;
pub use event_stream::EventStream;
pub use item_stream::{ItemStream, OwnedItem};
#[cfg(feature = "json")]
pub use json::JsonStream;
pub use sse_body::SseBody;
