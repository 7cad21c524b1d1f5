//! Details, which the standard does not have: lines without effect, ids without an event, what was
//! too large, and the state of the stream.

use std::mem;

use sse_conformance::{DetailedItem, IgnoredReason, Item, Part, State, TooLarge, Unfinished};

use super::{After, Decoder, Kind};

#[derive(Default)]
pub(super) struct Details {
    pub(super) wanted: bool,
    /// The current line.
    pub(super) line: String,
    /// The current line is an id that has no room, and is skipped.
    pub(super) long_id: bool,
    /// Mutation: the block has an id line that is to be ignored.
    pub(super) ignored_id: bool,
    /// Whether there was a comment, or a field with an effect.
    pub(super) recognized: bool,
    /// Whether there was a line without effect.
    ignored: bool,
}

impl Details {
    pub(super) fn clear_line(&mut self) {
        self.line.clear();
        self.long_id = false;
    }
}

// The current line.
impl Decoder {
    /// The name is known, or that it is none.
    pub(super) fn recognize(&mut self, kind: Kind) {
        match kind {
            Kind::Comment if self.mutation.is("details-comment-not-recognized") => {}
            Kind::Comment | Kind::Data | Kind::Event => self.details.recognized = true,
            Kind::Unknown => self.details.ignored = true,
            Kind::Id | Kind::Retry => {}
        }
    }

    /// The line has no colon yet. It is unknown as soon as no name begins like it.
    pub(super) fn check_name(&mut self) {
        const NAMES: [&str; 4] = ["data", "event", "id", "retry"];
        if self.details.wanted && !NAMES.iter().any(|name| name.starts_with(&self.line)) {
            self.kind = Some(Kind::Unknown);
            self.count_unknown_line();
        }
    }

    /// The first bytes of a character have been read. No name has such a character.
    pub(super) fn started_character(&mut self) {
        if self.details.wanted && self.kind.is_none() {
            self.kind = Some(Kind::Unknown);
            self.count_unknown_line();
        }
    }

    /// All of an unknown line counts towards the limit.
    pub(super) fn count_unknown_line(&mut self) {
        if !self.mutation.is("details-unfinished-line-not-ignored") {
            self.details.ignored = true;
        }
        let line = &self.details.line;
        self.value_len = match self.mutation.name() {
            "details-ignored-lines-free" => 0,
            "details-name-of-an-ignored-line-free" => {
                line.split_once(':').map_or(0, |(_, value)| value.len())
            }
            _ => line.len(),
        };
        if !self.mutation.is("details-ignored-line-counts-at-its-end") {
            self.check_limit();
        }
    }

    /// The line ends. Returns whether it has no effect.
    pub(super) fn end_without_effect(&mut self, kind: Kind) -> bool {
        let mutation = self.mutation;
        let value = mem::take(&mut self.line);
        match kind {
            Kind::Unknown => {
                if self.kind != Some(Kind::Unknown)
                    || mutation.is("details-ignored-line-counts-at-its-end")
                {
                    self.kind = Some(Kind::Unknown);
                    self.count_unknown_line();
                    self.check_limit();
                }
                self.details.ignored = true;
                if !self.line_dropped {
                    let line = self.details.line.clone();
                    let reason = match line.contains(':') {
                        true => IgnoredReason::UnknownField,
                        false => IgnoredReason::NoColon,
                    };
                    self.ignored(line, reason);
                }
                return true;
            }
            Kind::Retry => {
                let is_number =
                    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let counts = match mutation.name() {
                    "details-digits-of-a-retry-count" => true,
                    "details-invalid-retry-free" => false,
                    _ => !is_number,
                };
                self.kind = Some(Kind::Retry);
                self.value_len = if counts { value.len() } else { 0 };
                if self.is_over() {
                    self.details.ignored = true;
                    self.too_large();
                    return true;
                }
                if !is_number {
                    self.ignored(value, IgnoredReason::InvalidRetry);
                    return true;
                }
            }
            Kind::Id if self.details.long_id => {
                self.ignored(String::new(), IgnoredReason::IdTooLong);
                return true;
            }
            Kind::Id if value.contains('\0') && !self.line_dropped => {
                self.details.ignored_id = true;
                self.ignored(value, IgnoredReason::NulInId);
                return true;
            }
            _ => {}
        }
        self.line = value;
        false
    }

    fn ignored(&mut self, text: String, reason: IgnoredReason) {
        let mutation = self.mutation;
        if !(reason == IgnoredReason::InvalidRetry && mutation.is("details-invalid-retry-is-fine"))
        {
            self.details.ignored = true;
        }
        let is_lost = match reason {
            IgnoredReason::UnknownField => mutation.is("details-unknown-field-not-reported"),
            IgnoredReason::NoColon => mutation.is("details-no-colon-not-reported"),
            IgnoredReason::InvalidRetry => mutation.is("details-invalid-retry-not-reported"),
            IgnoredReason::NulInId => mutation.is("details-nul-in-id-not-reported"),
            IgnoredReason::IdTooLong => mutation.is("details-long-id-not-reported"),
            IgnoredReason::TypeWithoutData => mutation.is("details-type-alone-not-reported"),
        };
        if is_lost {
            return;
        }
        let value = || match self.details.line.split_once(':') {
            Some((_, value)) => value.to_owned(),
            None => String::new(),
        };
        let (ignored, reason) = match (mutation.name(), reason) {
            ("details-no-colon-is-an-unknown-field", IgnoredReason::NoColon) => {
                (text, IgnoredReason::UnknownField)
            }
            ("details-unknown-field-without-its-name", IgnoredReason::UnknownField) => {
                (value(), reason)
            }
            ("details-invalid-retry-with-its-name", IgnoredReason::InvalidRetry)
            | ("details-nul-in-id-with-its-name", IgnoredReason::NulInId) => {
                (self.details.line.clone(), reason)
            }
            ("details-long-id-with-its-text", IgnoredReason::IdTooLong) => (value(), reason),
            ("details-ignored-text-trimmed", _) => (text.trim().to_owned(), reason),
            ("details-ignored-text-without-bad-utf8", _) => {
                (text.replace(super::REPLACEMENT, ""), reason)
            }
            _ => (text, reason),
        };
        let item = DetailedItem::Ignored { ignored, reason };
        self.items.push(Item::Detailed(item));
    }
}

// The current block.
impl Decoder {
    /// Whether the end of the input would cut off a block.
    pub(super) fn is_in_event(&self) -> bool {
        let has_type = !self.event_type.is_empty();
        let has_id = self.pending_id.is_some() || self.id_too_long;
        match self.mutation.name() {
            "details-id-is-no-event" => !self.data.is_empty() || has_type || self.skipping,
            "details-type-is-no-event" => !self.data.is_empty() || has_id || self.skipping,
            "details-large-event-is-none" => !self.data.is_empty() || has_type || has_id,
            _ => !self.data.is_empty() || has_type || has_id || self.skipping,
        }
    }

    /// A blank line ends a block without an event.
    pub(super) fn end_without_event(&mut self, event_type: String, has_id: bool, before: &str) {
        let mutation = self.mutation;
        let id = self.last_event_id.clone();
        let is_reported = match mutation.name() {
            "details-id-alone-not-reported" => false,
            "details-empty-id-alone-not-reported" => !id.is_empty(),
            "details-id-alone-reported-if-it-is-new" => id != before,
            _ => true,
        };
        let id = (has_id && is_reported).then_some(Item::Detailed(DetailedItem::Id { id }));
        if mutation.is("details-type-alone-after-the-id") {
            self.items.extend(id);
            if !event_type.is_empty() {
                self.ignored(event_type, IgnoredReason::TypeWithoutData);
            }
            return;
        }
        if !event_type.is_empty() {
            self.ignored(event_type, IgnoredReason::TypeWithoutData);
        }
        self.items.extend(id);
    }

    /// An event, with what it tells about its id.
    pub(super) fn event(
        &self,
        event: String,
        data: String,
        last_event_id: String,
        (has_id, is_id_too_long, has_ignored_id): (bool, bool, bool),
    ) -> Item {
        let has_id = match self.mutation.name() {
            "details-inherited-id-is-own" => has_id || !last_event_id.is_empty(),
            "details-empty-id-is-none" => has_id && !last_event_id.is_empty(),
            "details-ignored-id-is-own" => has_id || has_ignored_id,
            _ => has_id,
        };
        if self.details.wanted && has_id {
            return Item::Detailed(DetailedItem::EventWithId {
                event,
                data,
                own_id: last_event_id.clone(),
                last_event_id,
            });
        }
        if self.details.wanted && is_id_too_long && !self.mutation.is("details-long-id-not-told") {
            return Item::Detailed(DetailedItem::EventWithLongId {
                event,
                data,
                last_event_id,
                id_too_long: true,
            });
        }
        Item::Event {
            event,
            data,
            last_event_id,
        }
    }

    /// The error for the current line.
    pub(super) fn error(&self) -> Item {
        let error = TooLarge::EventTooLarge;
        if !self.details.wanted {
            return Item::Error { error };
        }
        let part = match (self.kind, self.mutation.name()) {
            (Some(Kind::Event), "details-part-of-a-type-is-data")
            | (Some(Kind::Id), "details-part-of-an-id-is-data")
            | (Some(Kind::Comment), "details-part-of-a-comment-is-data") => Part::Data,
            (Some(Kind::Unknown), "details-part-of-an-ignored-line-is-comment") => Part::Comment,
            (Some(Kind::Retry), "details-part-of-a-retry-is-comment") => Part::Comment,
            (Some(Kind::Data), _) => Part::Data,
            (Some(Kind::Event), _) => Part::Event,
            (Some(Kind::Id), _) => Part::Id,
            (Some(Kind::Comment), _) => Part::Comment,
            (Some(Kind::Retry | Kind::Unknown) | None, _) => Part::Ignored,
        };
        Item::Detailed(DetailedItem::Error { error, part })
    }

    /// The state at the end of the input.
    pub(super) fn state(&self) -> State {
        let mutation = self.mutation;
        let has_started = self.start.as_ref().is_some_and(|start| !start.is_empty());
        let has_started = has_started && !mutation.is("details-piece-of-a-bom-is-nothing");
        let is_in_line = has_started || !self.details.line.is_empty() || self.utf8.needed > 0;
        let unfinished = match mutation.name() {
            "details-line-is-an-event" if is_in_line => Some(Unfinished::Event),
            "details-line-of-an-event-is-an-event" if is_in_line && self.is_in_event() => {
                Some(Unfinished::Event)
            }
            "details-line-ends-with-the-lf" if self.after == After::Cr => Some(Unfinished::Line),
            _ if is_in_line => Some(Unfinished::Line),
            "details-event-not-told" => None,
            _ if self.is_in_event() => Some(Unfinished::Event),
            _ => None,
        };
        let recognized = self.details.recognized || self.is_in_event();
        let ignored = self.details.ignored;
        State {
            unfinished,
            recognized: match mutation.name() {
                "details-ignored-line-is-recognized" => recognized || ignored,
                "details-name-without-colon-is-recognized" => recognized || self.line == "data",
                _ => recognized,
            },
            ignored: match mutation.name() {
                "details-ignored-only-without-recognized" => ignored && !recognized,
                _ => ignored,
            },
        }
    }
}
