//! An event that owns its text, for channels, queues and threads.

use crate::{Event, grow};
use alloc::string::String;

/// An [`Event`] that owns its text: it can be kept, sent to another thread, put into a queue.
///
/// Making one costs up to three allocations; a borrowed [`Event`] costs none.
///
/// ```
/// use sse_proto::{Decoder, OwnedEvent};
///
/// let (sender, receiver) = std::sync::mpsc::channel::<OwnedEvent>();
/// let mut decoder = Decoder::new();
/// let mut events = decoder.feed(b"event: greeting\ndata: hello\n\n");
/// while let Some(event) = events.next_event()? {
///     sender.send(event.into()).unwrap();
/// }
/// assert_eq!(receiver.recv().unwrap().as_event().event_type, "greeting");
/// # Ok::<(), sse_proto::EventTooLarge>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OwnedEvent {
    /// The event type; `message` if the stream names none.
    pub event_type: String,
    /// The data, its lines joined by LF.
    pub data: String,
    /// The last event ID string when the event was dispatched.
    pub last_event_id: String,
}

impl OwnedEvent {
    /// Lends the same event.
    ///
    /// ```
    /// use sse_proto::{Decoder, OwnedEvent};
    ///
    /// let mut decoder = Decoder::new();
    /// let mut events = decoder.feed(b"data: x\n\n");
    /// let event = events.next_event()?.unwrap();
    /// assert_eq!(OwnedEvent::from(event).as_event(), event);
    /// # Ok::<(), sse_proto::EventTooLarge>(())
    /// ```
    pub fn as_event(&self) -> Event<'_> {
        Event {
            event_type: &self.event_type,
            data: &self.data,
            last_event_id: &self.last_event_id,
        }
    }
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> Self {
        Self {
            event_type: grow::owned(event.event_type),
            data: grow::owned(event.data),
            last_event_id: grow::owned(event.last_event_id),
        }
    }
}
