//! The requests: what an implementation is asked to do, independent of how it is reached.

use crate::corpus::{ClientOptions, CloseOn, Frame, Regions, Response, Storage};

/// What an implementation is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
// Exhaustive: one for each kind of case.
pub enum Request {
    /// Decode a stream.
    Decode(DecodeRequest),
    /// Encode frames.
    Encode(EncodeRequest),
    /// Run a client against a script of responses.
    Connect(ConnectRequest),
}

/// A stream to decode.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeRequest {
    /// The chunks to feed; the stream ends after the last one.
    pub chunks: Vec<Vec<u8>>,
    /// The last event ID that the decoder starts with.
    pub last_event_id: Option<String>,
    /// Which kind of memory the limit applies to.
    pub storage: Option<Storage>,
    /// The limit on one event, in bytes of decoded text.
    pub limit: Option<usize>,
    /// The lengths of the regions of fixed memory, instead of a limit. Only with details.
    pub regions: Option<Regions>,
    /// Whether an event whose id has no room is reported without its id. Only with details.
    pub skip_long_ids: bool,
    /// Whether details are to be reported: [`DetailedItem`](crate::DetailedItem)s, and a
    /// [`State`](crate::State).
    pub details: bool,
}

/// Frames to encode into one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeRequest {
    /// The frames, in order.
    pub frames: Vec<Frame>,
}

/// A script for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// The URL that the event source is created with.
    pub url: String,
    /// Whether requests to other origins carry credentials.
    pub with_credentials: bool,
    /// The last event ID of an earlier event source.
    pub last_event_id: Option<String>,
    /// Settings of the client that the standard does not have.
    pub options: Option<ClientOptions>,
    /// The outcome of each request, in order.
    pub responses: Vec<Response>,
    /// The event whose handler calls `close()`.
    pub close_on: Option<CloseOn>,
}
