//! The items that a batch consists of.

use sse_proto::{Event, EventTooLarge, OwnedEvent};

use super::Cursor;

/// An item of a stream: an event, or one of events, comments and other lines.
pub(crate) trait DecodeItem: Sized {
    fn next(
        cursor: &mut impl Cursor,
        stats: &mut BatchStats,
    ) -> Result<Option<Self>, EventTooLarge>;

    fn from_event(event: OwnedEvent) -> Self;

    /// `None` if it is something else.
    fn as_event(&self) -> Option<&OwnedEvent>;

    /// The last event ID after this item, if it can have changed it.
    fn last_event_id(&self) -> Option<&str>;
}

/// What a batch contains, recorded while its items are decoded.
#[derive(Default)]
pub(crate) struct BatchStats {
    /// Total length of the text of the items, in bytes.
    pub(super) text_len: usize,
    /// Whether an event has a non-empty last event ID.
    pub(crate) has_ids: bool,
    /// Input: whether to decode anything but events, for item types that leave it open.
    pub(crate) include_items: bool,
}

impl BatchStats {
    #[inline(always)]
    pub(crate) fn record_event(&mut self, event: Event<'_>) -> OwnedEvent {
        self.has_ids |= !event.last_event_id.is_empty();
        self.record_text(event.data);
        self.record_text(event.event_type);
        self.record_text(event.last_event_id);
        event.into()
    }

    #[inline(always)]
    pub(crate) fn record_text(&mut self, text: &str) {
        self.text_len += text.len();
    }
}

impl DecodeItem for OwnedEvent {
    #[inline(always)]
    fn next(
        cursor: &mut impl Cursor,
        stats: &mut BatchStats,
    ) -> Result<Option<Self>, EventTooLarge> {
        Ok(cursor.next_event()?.map(|event| stats.record_event(event)))
    }

    fn from_event(event: OwnedEvent) -> Self {
        event
    }

    #[inline]
    fn as_event(&self) -> Option<&OwnedEvent> {
        Some(self)
    }

    #[inline]
    fn last_event_id(&self) -> Option<&str> {
        Some(self.last_event_id())
    }
}
