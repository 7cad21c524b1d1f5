//! Replies of the server, as what they mean here.

use ::redis::{ErrorKind, RedisError, Value};

use crate::{EventId, id::IdText};

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EventId,
    /// Encoded, without the id.
    pub(super) event: Vec<u8>,
}

impl Entry {
    /// Appends the event with its id, as clients get it.
    pub(super) fn encode_to(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(b"id: ");
        buffer.extend_from_slice(IdText::new(self.id).as_str().as_bytes());
        buffer.push(b'\n');
        buffer.extend_from_slice(&self.event);
    }
}

/// The reply is none that the command has.
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

/// Ids come back from the server in the only spelling that `EventId` has.
pub(super) fn id(value: Value) -> Option<EventId> {
    EventId::from_header(&bytes(value)?).ok()
}

/// The reply to XRANGE.
pub(super) fn entries(value: Value) -> Option<Vec<Entry>> {
    array(value)?.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = array(value)?.into_iter();
    let id = id(parts.next()?)?;
    let mut fields = array(parts.next()?)?.into_iter();
    // Where somebody else has added an entry, it counts, so that the numbers remain dense, and
    // dispatches nothing.
    let mut event = b"\n".to_vec();
    while let (Some(name), Some(field)) = (fields.next(), fields.next()) {
        if bytes(name)? == b"d" {
            event = bytes(field)?;
        }
    }
    Some(Entry { id, event })
}

/// The reply to XREAD: the entries by key. Nothing, after a time-out.
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
