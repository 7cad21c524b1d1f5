//! The naive model of a decoder: the standard's algorithm, run over the whole input at once. It is
//! slow and simple and uses no type of the crate, so that it can be compared with the standard line
//! by line.
//!
//! [`Model::after`] returns, for any prefix of a stream, the items that a decoder must have
//! returned when it has read exactly these bytes. This defines "prompt" and "independent of cuts":
//! a decoder that was given `k` bytes, in any pieces, has returned exactly `after(&stream[..k])`.
//!
//! Comments in quotation marks quote the HTML standard, section 9.2.6, "Interpreting an event
//! stream".

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
}

/// Which items the caller asks the decoder for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Everything: events, comments, `retry` (`next_item`).
    Items,
    /// Events only (`next_event`): comments are not stored, so they cannot be too large.
    Events,
}

/// An item that a decoder returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Event {
        event_type: String,
        data: String,
        last_event_id: String,
    },
    Comment(String),
    /// Milliseconds.
    Retry(u64),
    /// The error, with the limit that it reports.
    TooLarge(usize),
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
        if let Some((field, value)) = split_unfinished(unfinished) {
            stream.apply_limit(field, value);
        }
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

/// UTF-8 decode: the BOM is removed, invalid sequences become U+FFFD. A sequence that is incomplete
/// at the end is left out.
fn decode(bytes: &[u8]) -> String {
    let undecided = match bytes.utf8_chunks().last() {
        Some(last) => match core::str::from_utf8(last.invalid()) {
            Err(error) if error.error_len().is_none() => last.invalid().len(),
            _ => 0,
        },
        None => 0,
    };
    let text = String::from_utf8_lossy(&bytes[..bytes.len() - undecided]);
    match text.strip_prefix('\u{FEFF}') {
        Some(text) => text.to_owned(),
        None => text.into_owned(),
    }
}

/// The field name of a line, or a comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field<'a> {
    Comment,
    Named(&'a str),
}

/// Field and value of a complete line that is not blank.
fn split_complete(line: &str) -> (Field<'_>, &str) {
    // "Otherwise, the string is not empty but does not contain a U+003A COLON character (:):
    // process the field using the whole line as the field name, and the empty string as the field
    // value."
    split_unfinished(line).unwrap_or((Field::Named(line), ""))
}

/// Field and value of an incomplete line. A field is unknown before its colon.
fn split_unfinished(line: &str) -> Option<(Field<'_>, &str)> {
    // "If the line starts with a U+003A COLON character (:): ignore the line."
    if let Some(text) = line.strip_prefix(':') {
        return Some((Field::Comment, text));
    }
    // "Collect the characters on the line before the first U+003A COLON character (:), and let
    // field be that string. Collect the characters on the line after the first U+003A COLON
    // character (:), and let value be that string. If value starts with a U+0020 SPACE character,
    // remove it from value."
    let (name, value) = line.split_once(':')?;
    Some((Field::Named(name), value.strip_prefix(' ').unwrap_or(value)))
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
    /// Whether the ID buffer was set since the last blank line.
    id_is_pending: bool,
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
            },
            data: String::new(),
            event_type: String::new(),
            // Every browser starts a stream with the ID of the previous one, although the wording
            // of the standard differs.
            id: model.last_event_id.clone(),
            id_is_pending: false,
            skipping: false,
        }
    }

    fn process_line(&mut self, line: &str) {
        // "If the line is empty (a blank line): dispatch the event, as defined below."
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = split_complete(line);
        if self.apply_limit(field, value) {
            self.process_field(field, value);
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
                if !value.contains('\0') {
                    value.clone_into(&mut self.id);
                    self.id_is_pending = true;
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
                    self.emit(Item::Retry(time));
                }
            }
            // "Otherwise: the field is ignored."
            Field::Named(_) => {}
        }
    }

    /// Whether something was buffered for an event since the last blank line.
    fn is_in_event(&self) -> bool {
        !self.data.is_empty() || !self.event_type.is_empty() || self.id_is_pending || self.skipping
    }

    fn dispatch(&mut self) {
        // "Set the last event ID string of the event source to the value of the last event ID
        // buffer. The buffer does not get reset."
        self.id.clone_into(&mut self.outcome.last_event_id);
        self.id_is_pending = false;

        let skipped = core::mem::take(&mut self.skipping);
        let event_type = core::mem::take(&mut self.event_type);
        let data = core::mem::take(&mut self.data);
        // "If the data buffer is an empty string, set the data buffer and the event type buffer to
        // the empty string and return. If the data buffer's last character is a U+000A LINE FEED
        // (LF) character, then remove the last character from the data buffer."
        let Some(data) = data.strip_suffix('\n') else {
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
        });
    }

    fn emit(&mut self, item: Item) {
        let asked_for = match (self.model.ask, &item) {
            (Ask::Items, _) | (Ask::Events, Item::Event { .. } | Item::TooLarge(_)) => true,
            (Ask::Events, Item::Comment(_) | Item::Retry(_)) => false,
        };
        if asked_for {
            self.outcome.items.push(item);
        }
    }

    // From here on: the limit, which the standard leaves to the implementation.

    /// Applies the limit to the known part of the line. Returns whether the line is to be
    /// processed.
    fn apply_limit(&mut self, field: Field<'_>, value: &str) -> bool {
        match field {
            // A comment is only buffered if it was asked for. One that is too large loses its line,
            // but not the event.
            Field::Comment if self.model.ask == Ask::Events => true,
            Field::Comment => match self.overflow(field, value) {
                None => true,
                Some(limit) => {
                    self.emit(Item::TooLarge(limit));
                    false
                }
            },
            Field::Named("data" | "event") if self.skipping => false,
            Field::Named("data" | "event") => match self.overflow(field, value) {
                None => true,
                Some(limit) => {
                    self.skip(limit);
                    false
                }
            },
            // An ID takes effect even if its event is skipped, so that reconnecting does not replay
            // the event endlessly. The line uses the space that the skipped event has freed, or is
            // dropped without a second error.
            Field::Named("id") => {
                match self.overflow(field, value) {
                    Some(limit) if !self.skipping => self.skip(limit),
                    _ => {}
                }
                self.overflow(field, value).is_none()
            }
            // Neither `retry` nor unknown fields are buffered.
            Field::Named(_) => true,
        }
    }

    fn skip(&mut self, limit: usize) {
        self.emit(Item::TooLarge(limit));
        self.data.clear();
        self.event_type.clear();
        self.skipping = true;
    }

    /// Returns the limit that the line exceeds, if it does.
    fn overflow(&self, field: Field<'_>, value: &str) -> Option<usize> {
        let data = match field {
            // The LF after the previous lines joins them to this one.
            Field::Named("data") => self.data.len(),
            // The LF after the last line is not part of the data.
            _ => self.data.len().saturating_sub(1),
        };
        match self.model.limit {
            Limit::Heap(limit) => {
                let pending_id = if self.id_is_pending { self.id.len() } else { 0 };
                let buffered = data + self.event_type.len() + pending_id + value.len();
                (buffered > limit).then_some(limit)
            }
            Limit::Fixed {
                data_capacity,
                field_capacity,
            } => {
                let has_own_region = matches!(field, Field::Named("event" | "id"));
                if has_own_region && field_capacity < data_capacity.saturating_sub(data) {
                    (value.len() > field_capacity).then_some(field_capacity)
                } else {
                    (data + value.len() > data_capacity).then_some(data_capacity)
                }
            }
        }
    }
}
