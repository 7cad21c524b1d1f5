//! Parses replies of the server.

use ::redis::{ErrorKind, RedisError, Value};

use crate::{EventId, id::IdText};

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EventId,
    /// The encoded event, without the id.
    pub(super) event: Vec<u8>,
}

impl Entry {
    /// Appends the event with its id, as it is sent to clients.
    pub(super) fn encode_to(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(b"id: ");
        buffer.extend_from_slice(IdText::new(self.id).as_str().as_bytes());
        buffer.push(b'\n');
        buffer.extend_from_slice(&self.event);
    }
}

/// The error for an unexpected reply.
pub(super) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, what))
}

pub(super) fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// Redis formats ids in the same way as `EventId`.
pub(super) fn id(value: Value) -> Option<EventId> {
    EventId::from_header(&bytes(value)?).ok()
}

/// Parses a reply to XRANGE.
pub(super) fn entries(value: Value) -> Option<Vec<Entry>> {
    array(value)?.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = array(value)?.into_iter();
    let id = id(parts.next()?)?;
    let mut fields = array(parts.next()?)?.into_iter();
    // An entry that another program has added becomes an event without data, which is not
    // dispatched. It must be included so that the numbers have no holes.
    let mut event = b"\n".to_vec();
    while let (Some(name), Some(field)) = (fields.next(), fields.next()) {
        if bytes(name)? == b"d" {
            event = bytes(field)?;
        }
    }
    Some(Entry { id, event })
}

/// Parses a reply to XREAD into the entries by key. Empty after a timeout.
pub(super) fn streams(value: Value) -> Option<Vec<(Vec<u8>, Vec<Entry>)>> {
    let stream = |(key, value)| Some((bytes(key)?, entries(value)?));
    match value {
        Value::Nil => Some(Vec::new()),
        Value::Map(streams) => streams.into_iter().map(stream).collect(),
        Value::Array(streams) => streams
            .into_iter()
            .map(|pair| {
                let mut pair = array(pair)?.into_iter();
                stream((pair.next()?, pair.next()?))
            })
            .collect(),
        _ => None,
    }
}
