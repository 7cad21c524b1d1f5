//! The naive model of a decoder: the standard's algorithm, run over the whole input at once. It is
//! slow and simple and uses no type of the crate but two enums of names, so that it can be compared
//! with the standard line by line.
//!
//! [`Model::after`] returns, for any prefix of a stream, the items that a decoder must have
//! returned when it has read exactly these bytes. This defines "prompt" and "independent of cuts":
//! a decoder that was given `k` bytes, in any pieces, has returned exactly `after(&stream[..k])`.
//!
//! Comments in quotation marks quote the HTML standard, section 9.2.6, "Interpreting an event
//! stream".

use sse_proto::{IgnoredReason, Part};

/// The limit of the storage, in bytes of decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// One limit for everything buffered: data, event type, pending ID and the value of the
    /// incomplete line.
    Heap(usize),
    /// The data and the value of the incomplete line share `data_capacity` bytes; an event type or
    /// ID has `field_capacity`.
    Fixed {
        data_capacity: usize,
        field_capacity: usize,
    },
    /// As `Fixed`, with different lengths for an event type and an ID.
    Regions {
        data_capacity: usize,
        type_capacity: usize,
        id_capacity: usize,
    },
}

/// Which items the caller asks the decoder for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Everything: events, comments, `retry`, ignored lines (`next_item`).
    Items,
    /// Events only (`next_event`): comments and ignored lines are not stored, so they cannot be too
    /// large.
    Events,
}

/// An item that a decoder returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Event {
        event_type: String,
        data: String,
        last_event_id: String,
        own_id: OwnId,
    },
    Comment(String),
    /// Milliseconds.
    Retry(u64),
    /// The last event ID, set by a block with nothing else.
    Id(String),
    /// The text of a line without effect, and why it has none.
    Ignored(String, IgnoredReason),
    /// The error: what was being read, and the limit.
    TooLarge(Part, usize),
}

/// The `id` lines of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnId {
    None,
    Set,
    TooLong,
}

/// The expected items after some bytes, and the state that is kept across streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) items: Vec<Item>,
    pub(crate) last_event_id: String,
    /// Milliseconds.
    pub(crate) reconnection_time: Option<u64>,
    /// What would be lost if the stream ended here.
    pub(crate) unfinished: Option<Unfinished>,
    /// Whether any line was a comment or a field that was not ignored, and whether any was ignored.
    /// Fields of the incomplete line count as soon as they are known.
    pub(crate) has_recognized_line: bool,
    pub(crate) has_ignored_line: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Line,
    Event,
}

/// The model of a stream, before its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) limit: Limit,
    pub(crate) ask: Ask,
    /// Whether an event whose ID is too long is kept, without the ID.
    pub(crate) skip_long_ids: bool,
    /// The last event ID string at the start of the stream: set by the caller, or kept from the
    /// previous stream.
    pub(crate) last_event_id: String,
    pub(crate) reconnection_time: Option<u64>,
}

impl Model {
    pub(crate) fn new(limit: Limit, ask: Ask) -> Self {
        Self {
            limit,
            ask,
            skip_long_ids: false,
            last_event_id: String::new(),
            reconnection_time: None,
        }
    }

    /// The stream after one with this outcome: only the last event ID and the reconnection time are
    /// kept.
    pub(crate) fn next_stream(&self, left: &Outcome) -> Self {
        Self {
            last_event_id: left.last_event_id.clone(),
            reconnection_time: left.reconnection_time,
            ..self.clone()
        }
    }

    /// Returns what must have been returned when exactly `bytes` were read.
    pub(crate) fn after(&self, bytes: &[u8]) -> Outcome {
        let text = decode(bytes);
        // CRLF, CR and LF are one line terminator each. A CR at the very end has already ended its
        // line; if an LF follows, both together are one.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<&str> = text.split('\n').collect();
        let unfinished = lines.pop().unwrap_or_default();

        let mut stream = Stream::new(self);
        for line in lines {
            stream.process_line(line);
        }
        // The incomplete line has no effect yet, but the known part of its value counts towards the
        // limit.
        if let Some((field, value)) = split_started(bytes, unfinished) {
            stream.outcome.has_recognized_line |= field.is_recognized();
            stream.outcome.has_ignored_line |= field.is_unknown();
            stream.apply_limit(field, value);
        }
        stream.outcome.has_recognized_line |= stream.is_in_event();
        stream.outcome.unfinished = match bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) {
            [] | [.., b'\n' | b'\r'] => stream.is_in_event().then_some(Unfinished::Event),
            _ => Some(Unfinished::Line),
        };
        stream.outcome
    }

    /// Returns what `finish` returns after `bytes`, and the outcome: the incomplete line ends, and
    /// a blank line follows.
    pub(crate) fn finish(&self, bytes: &[u8]) -> (Option<Item>, Outcome) {
        let events = Self {
            ask: Ask::Events,
            ..self.clone()
        };
        // The first CR ends the incomplete line or is the blank line; an additional blank line has
        // no effect.
        let mut finished = bytes.to_vec();
        finished.extend(b"\r\r");
        let before = events.after(bytes);
        let mut after = events.after(&finished);
        let mut new = after.items.split_off(before.items.len());
        assert!(new.len() <= 1, "finish returns at most one item");
        (new.pop(), after)
    }
}

/// The length of the sequence that is incomplete at the end.
fn incomplete_len(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(last) => match core::str::from_utf8(last.invalid()) {
            Err(error) if error.error_len().is_none() => last.invalid().len(),
            _ => 0,
        },
        None => 0,
    }
}

/// UTF-8 decode: the BOM is removed, invalid sequences become U+FFFD. A sequence that is incomplete
/// at the end is left out.
fn decode(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len() - incomplete_len(bytes)]);
    match text.strip_prefix('\u{FEFF}') {
        Some(text) => text.to_owned(),
        None => text.into_owned(),
    }
}

const NAMES: [&str; 4] = ["data", "event", "id", "retry"];

/// The field name of a line, or a comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field<'a> {
    Comment,
    Named(&'a str),
}

impl Field<'_> {
    fn is_unknown(self) -> bool {
        matches!(self, Field::Named(name) if !NAMES.contains(&name))
    }

    /// Whether a line of this field has an effect, whatever its value is.
    fn is_recognized(self) -> bool {
        matches!(self, Field::Comment | Field::Named("data" | "event"))
    }
}

/// Field and value of a complete line that is not blank. The value of an unknown field is the line.
fn split_complete(line: &str) -> (Field<'_>, &str) {
    // "Otherwise, the string is not empty but does not contain a U+003A COLON character (:):
    // process the field using the whole line as the field name, and the empty string as the field
    // value."
    match split_unfinished(line) {
        Some(split) => split,
        None if NAMES.contains(&line) => (Field::Named(line), ""),
        None => (Field::Named(line), line),
    }
}

/// Field and value of an incomplete line. A field is not known before its colon, unless no field can
/// start like the line.
fn split_unfinished(line: &str) -> Option<(Field<'_>, &str)> {
    // "If the line starts with a U+003A COLON character (:): ignore the line."
    if let Some(text) = line.strip_prefix(':') {
        return Some((Field::Comment, text));
    }
    if !line.contains(':') {
        let may_be_field = NAMES.iter().any(|name| name.starts_with(line));
        return (!may_be_field).then_some((Field::Named(line), line));
    }
    // "Collect the characters on the line before the first U+003A COLON character (:), and let
    // field be that string. Collect the characters on the line after the first U+003A COLON
    // character (:), and let value be that string. If value starts with a U+0020 SPACE character,
    // remove it from value."
    let (name, value) = line.split_once(':')?;
    let field = Field::Named(name);
    match field.is_unknown() {
        true => Some((field, line)),
        false => Some((field, value.strip_prefix(' ').unwrap_or(value))),
    }
}

/// Like [`split_unfinished`], for the last line of `bytes`. An incomplete character at its end is part of
/// no field name, but may be a byte order mark.
fn split_started<'a>(bytes: &[u8], line: &'a str) -> Option<(Field<'a>, &'a str)> {
    let may_be_bom = b"\xEF\xBB\xBF".starts_with(bytes);
    match split_unfinished(line) {
        None if incomplete_len(bytes) > 0 && !may_be_bom => Some((Field::Named("\u{FFFD}"), line)),
        split => split,
    }
}

struct Stream<'m> {
    model: &'m Model,
    outcome: Outcome,
    /// "data buffer": each value is followed by an LF.
    data: String,
    /// "event type buffer"
    event_type: String,
    /// "last event ID buffer"
    id: String,
    /// What the last `id` line since the last blank line was. If it was too long, the ID buffer is
    /// that of the last block.
    own_id: OwnId,
    /// Whether the current event is too large, so that the rest of its block is skipped.
    skipping: bool,
}

impl<'m> Stream<'m> {
    fn new(model: &'m Model) -> Self {
        Self {
            model,
            outcome: Outcome {
                items: Vec::new(),
                last_event_id: model.last_event_id.clone(),
                reconnection_time: model.reconnection_time,
                unfinished: None,
                has_recognized_line: false,
                has_ignored_line: false,
            },
            data: String::new(),
            event_type: String::new(),
            // Every browser starts a stream with the ID of the previous one, although the wording
            // of the standard differs.
            id: model.last_event_id.clone(),
            own_id: OwnId::None,
            skipping: false,
        }
    }

    fn process_line(&mut self, line: &str) {
        // "If the line is empty (a blank line): dispatch the event, as defined below."
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = split_complete(line);
        self.outcome.has_recognized_line |= field.is_recognized();
        self.outcome.has_ignored_line |= field.is_unknown();
        match self.apply_limit(field, value) {
            Verdict::Process => self.process_field(field, value),
            Verdict::Drop => {}
            Verdict::SkipId => self.ignore("", IgnoredReason::IdTooLong),
        }
    }

    fn process_field(&mut self, field: Field<'_>, value: &str) {
        match field {
            Field::Comment => self.emit(Item::Comment(value.to_owned())),
            // "Set the event type buffer to the field value."
            Field::Named("event") => value.clone_into(&mut self.event_type),
            // "Append the field value to the data buffer, then append a single U+000A LINE FEED
            // (LF) character to the data buffer."
            Field::Named("data") => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // "If the field value does not contain U+0000 NULL, then set the last event ID buffer
            // to the field value. Otherwise, ignore the field."
            Field::Named("id") => {
                if value.contains('\0') {
                    self.ignore(value, IgnoredReason::NulInId);
                } else {
                    value.clone_into(&mut self.id);
                    self.own_id = OwnId::Set;
                }
            }
            // "If the field value consists of only ASCII digits, then interpret the field value as
            // an integer in base ten, and set the event stream's reconnection time to that integer.
            // Otherwise, ignore the field."
            Field::Named("retry") => {
                if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) {
                    // Digits that do not fit into a u64 are a greater number.
                    let time = value.parse().unwrap_or(u64::MAX);
                    self.outcome.reconnection_time = Some(time);
                    self.outcome.has_recognized_line = true;
                    self.emit(Item::Retry(time));
                } else if self.model.ask == Ask::Events {
                    self.outcome.has_ignored_line = true;
                } else if let Some(limit) = self.overflow(field, value) {
                    self.outcome.has_ignored_line = true;
                    self.emit(Item::TooLarge(Part::IgnoredLine, limit));
                } else {
                    self.ignore(value, IgnoredReason::InvalidRetry);
                }
            }
            // "Otherwise: the field is ignored."
            Field::Named(_) => self.ignore(
                value,
                match value.contains(':') {
                    true => IgnoredReason::UnknownField,
                    false => IgnoredReason::NoColon,
                },
            ),
        }
    }

    fn ignore(&mut self, text: &str, reason: IgnoredReason) {
        self.outcome.has_ignored_line = true;
        self.emit(Item::Ignored(text.to_owned(), reason));
    }

    /// Whether something was buffered for an event since the last blank line.
    fn is_in_event(&self) -> bool {
        let has_id = self.own_id != OwnId::None;
        !self.data.is_empty() || !self.event_type.is_empty() || has_id || self.skipping
    }

    fn dispatch(&mut self) {
        // "Set the last event ID string of the event source to the value of the last event ID
        // buffer. The buffer does not get reset."
        self.id.clone_into(&mut self.outcome.last_event_id);
        let own_id = core::mem::replace(&mut self.own_id, OwnId::None);
        self.outcome.has_recognized_line |= own_id != OwnId::None;

        let skipped = core::mem::take(&mut self.skipping);
        let event_type = core::mem::take(&mut self.event_type);
        let data = core::mem::take(&mut self.data);
        // "If the data buffer is an empty string, set the data buffer and the event type buffer to
        // the empty string and return. If the data buffer's last character is a U+000A LINE FEED
        // (LF) character, then remove the last character from the data buffer."
        let Some(data) = data.strip_suffix('\n') else {
            if !event_type.is_empty() {
                self.ignore(&event_type, IgnoredReason::TypeWithoutData);
            }
            if own_id == OwnId::Set && !skipped {
                self.emit(Item::Id(self.outcome.last_event_id.clone()));
            }
            return;
        };
        assert!(!skipped, "a skipped event holds no data");
        self.emit(Item::Event {
            // "Initialize event's type attribute to "message" [...] If the event type buffer has a
            // value other than the empty string, change the type of the newly created event to
            // equal the value."
            event_type: match event_type.as_str() {
                "" => "message".to_owned(),
                _ => event_type,
            },
            data: data.to_owned(),
            last_event_id: self.outcome.last_event_id.clone(),
            own_id,
        });
    }

    fn emit(&mut self, item: Item) {
        let asked_for = match (self.model.ask, &item) {
            (Ask::Items, _) | (Ask::Events, Item::Event { .. } | Item::TooLarge(..)) => true,
            (Ask::Events, _) => false,
        };
        if asked_for {
            self.outcome.items.push(item);
        }
    }

    // From here on: the limit, which the standard leaves to the implementation.

    /// Applies the limit to the known part of the line.
    fn apply_limit(&mut self, field: Field<'_>, value: &str) -> Verdict {
        let overflow = self.overflow(field, value);
        let Some(limit) = overflow else {
            return match field {
                Field::Named("data" | "event") if self.skipping => Verdict::Drop,
                _ => Verdict::Process,
            };
        };
        match field {
            // A comment or ignored line is only buffered if it was asked for. One that is too large
            // loses its line, but not the event.
            Field::Comment | Field::Named(_)
                if self.model.ask == Ask::Events
                    && (field == Field::Comment || field.is_unknown()) =>
            {
                Verdict::Process
            }
            Field::Comment => {
                self.emit(Item::TooLarge(Part::Comment, limit));
                Verdict::Drop
            }
            Field::Named("data" | "event") if self.skipping => Verdict::Drop,
            Field::Named("data") => self.skip(Part::Data, limit),
            Field::Named("event") => self.skip(Part::EventType, limit),
            Field::Named("id") => self.apply_id_limit(value, limit),
            // Valid digits are not buffered; others are reported when the line has ended.
            Field::Named("retry") => Verdict::Process,
            Field::Named(_) => {
                self.emit(Item::TooLarge(Part::IgnoredLine, limit));
                Verdict::Drop
            }
        }
    }

    /// An ID takes effect even if its event is skipped, so that reconnecting does not replay the event
    /// endlessly. The line uses the space that the skipped event has freed, then that of an earlier
    /// ID of the block, because the last one counts. Otherwise it is dropped without a second error.
    fn apply_id_limit(&mut self, value: &str, limit: usize) -> Verdict {
        const ID: Field<'_> = Field::Named("id");
        let dropped = match self.model.skip_long_ids && !self.skipping {
            true => Verdict::SkipId,
            false => Verdict::Drop,
        };
        if !self.skipping && !self.model.skip_long_ids {
            self.skip(Part::Id, limit);
            if self.overflow(ID, value).is_none() {
                return Verdict::Process;
            }
        }
        // The line is known to be ignored before it needs the space of the earlier ID.
        let (room, _) = self.room(ID);
        if value.as_bytes()[..room].contains(&0) {
            return dropped;
        }
        self.own_id = OwnId::TooLong;
        self.outcome.last_event_id.clone_into(&mut self.id);
        match self.overflow(ID, value) {
            None => Verdict::Process,
            Some(_) => dropped,
        }
    }

    fn skip(&mut self, part: Part, limit: usize) -> Verdict {
        self.emit(Item::TooLarge(part, limit));
        self.data.clear();
        self.event_type.clear();
        self.skipping = true;
        self.outcome.has_recognized_line = true;
        Verdict::Drop
    }

    /// Returns the limit that the line exceeds, if it does.
    fn overflow(&self, field: Field<'_>, value: &str) -> Option<usize> {
        let lf = match field {
            // The LF after the previous lines joins them to this one.
            Field::Named("data") if !self.data.is_empty() => 1,
            // The LF after the last line is not part of the data.
            _ => 0,
        };
        let (room, limit) = self.room(field);
        (lf + value.len() > room).then_some(limit)
    }

    /// Returns how long the value of the line may be, and the limit to report.
    fn room(&self, field: Field<'_>) -> (usize, usize) {
        let data = self.data.len().saturating_sub(1);
        let (data_capacity, type_capacity, id_capacity) = match self.model.limit {
            Limit::Heap(limit) => {
                let pending_id = match self.own_id {
                    OwnId::Set => self.id.len(),
                    OwnId::None | OwnId::TooLong => 0,
                };
                let buffered = data + self.event_type.len() + pending_id;
                return (limit.saturating_sub(buffered), limit);
            }
            Limit::Fixed {
                data_capacity,
                field_capacity,
            } => (data_capacity, field_capacity, field_capacity),
            Limit::Regions {
                data_capacity,
                type_capacity,
                id_capacity,
            } => (data_capacity, type_capacity, id_capacity),
        };
        let in_data = (data_capacity.saturating_sub(data), data_capacity);
        let own = match field {
            Field::Named("event") => (type_capacity, type_capacity),
            Field::Named("id") => (id_capacity, id_capacity),
            _ => in_data,
        };
        match own.0 < in_data.0 {
            true => own,
            false => in_data,
        }
    }
}

/// What becomes of a line under the limit.
enum Verdict {
    Process,
    Drop,
    /// An `id` line that has no room is skipped; its event is kept.
    SkipId,
}
