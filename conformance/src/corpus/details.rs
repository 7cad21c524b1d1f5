//! What only cases with details have: the standard does not know these items and this state.

use serde::{Deserialize, Serialize};

use super::TooLarge;

/// An item that a decoder reports only if it is asked for details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, rename_all_fields = "camelCase")]
// Exhaustive: the protocol has no others.
pub enum DetailedItem {
    /// An event with an `id` line of its own.
    EventWithId {
        /// Its type, never empty: the default is `message`.
        event: String,
        /// Its data.
        data: String,
        /// The last event ID at the time of its dispatch.
        last_event_id: String,
        /// Its own id, which may be empty.
        own_id: String,
    },
    /// An event whose own id was too long and was skipped.
    EventWithLongId {
        /// Its type, never empty: the default is `message`.
        event: String,
        /// Its data.
        data: String,
        /// The last event ID at the time of its dispatch: that of an earlier event.
        last_event_id: String,
        /// True.
        id_too_long: bool,
    },
    /// A block without data that has set the last event ID.
    Id {
        /// The last event ID.
        id: String,
    },
    /// A line without effect.
    Ignored {
        /// The whole line if it is no field, otherwise the value of the field.
        ignored: String,
        /// Why it has no effect.
        reason: IgnoredReason,
    },
    /// An event, a comment or an ignored line that exceeded the limit.
    Error {
        /// The kind of error. There is only one.
        error: TooLarge,
        /// What was being read when the limit was exceeded.
        part: Part,
    },
}

/// Why a line has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
// Exhaustive: the protocol has no others.
pub enum IgnoredReason {
    /// The name before the colon is not that of a field.
    UnknownField,
    /// The line has no colon and is not the name of a field.
    NoColon,
    /// The value of `retry` is not a number.
    InvalidRetry,
    /// The value of `id` contains a NUL.
    NulInId,
    /// The id had no room and was skipped; its text is empty.
    IdTooLong,
    /// A block has a type, but no data.
    TypeWithoutData,
}

/// What was being read when the limit was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol has no others.
pub enum Part {
    /// A `data` line, or the LF that joins it to those before.
    Data,
    /// An `event` line.
    Event,
    /// An `id` line.
    Id,
    /// A comment.
    Comment,
    /// A line without effect.
    Ignored,
}

/// The lengths of the regions of fixed memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
// Exhaustive: the protocol has no others.
pub struct Regions {
    /// For the data and the value of the current line.
    pub data: usize,
    /// For the event type.
    pub event: usize,
    /// For each of the two ids: that of the current block, and the last event ID.
    pub id: usize,
}

/// What a decoder tells about the stream as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
// Exhaustive: implementations construct it.
pub struct State {
    /// What the end of the input cuts off.
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub unfinished: Option<Unfinished>,
    /// Whether there was a comment, or a field with an effect.
    pub recognized: bool,
    /// Whether there was a line without effect.
    pub ignored: bool,
}

/// What the end of the input cuts off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: a stream consists of lines, and events consist of lines.
pub enum Unfinished {
    /// A line without its terminator.
    Line,
    /// A block without its blank line.
    Event,
}
