//! Building a [`Frame`]: constructors, and a setter for each field.

use super::{Frame, InvalidField};
#[cfg(doc)]
use crate::Event;
use core::time::Duration;

impl<'a> Frame<'a> {
    /// Creates an empty frame, to build frames without data.
    ///
    /// An empty frame is written as one blank line. If nothing were written, a response body with
    /// one HTTP chunk per frame would end there. Clients ignore the blank line if the stream has no
    /// IDs; once an ID was sent, a few take it for an empty event.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Frame::new().retry(Duration::from_secs(5)).to_string(), "retry: 5000\n");
    /// assert_eq!(Frame::new().id("41")?.to_string(), "id: 41\n\n");
    /// assert_eq!(Frame::new().comment(" at work").to_string(), ": at work\n");
    /// assert_eq!(Frame::new().to_string(), "\n");
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn new() -> Self {
        Self {
            comment: None,
            event: "",
            id: None,
            retry: None,
            data: None,
        }
    }

    /// Creates an event with this data and the default type, `message`.
    ///
    /// The data is written line by line. A decoder joins the lines with LF: **a CR or a CRLF in the
    /// data is decoded as an LF**. Everything else is preserved: a leading space, a trailing line
    /// terminator, control characters, NUL, U+FEFF. Empty data is valid, and the event is
    /// dispatched.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// let frame = Frame::message("a\r\n b\rc\n").to_string();
    /// assert_eq!(frame, "data: a\ndata:  b\ndata: c\ndata: \n\n");
    /// assert_eq!(Frame::message("").to_string(), "data: \n\n");
    /// ```
    #[inline]
    pub const fn message(data: &'a str) -> Self {
        Self {
            data: Some(data),
            ..Self::new()
        }
    }

    /// Creates a keep-alive comment: an empty comment of two bytes, which keeps an idle connection
    /// open.
    ///
    /// Browsers ignore it. Some client SDKs do not: those for Gemini raise an error or lose the
    /// next event. Send them [`Frame::new()`](Self::new) instead. `docs/frames-against-clients.md`
    /// lists which client accepts which frame.
    ///
    /// The standard suggests a comment "every 15 seconds or so". Some platforms need a shorter
    /// interval: `Bun.serve` may close a connection after 8 seconds of silence. See
    /// `docs/silence.md`.
    ///
    /// ```
    /// assert_eq!(sse_proto::Frame::keep_alive().to_string(), ":\n");
    /// ```
    #[inline]
    pub const fn keep_alive() -> Self {
        Self::new().comment("")
    }

    /// Sets the event type.
    ///
    /// A frame with an event type is an event: if it has no data, its data becomes empty. (Without
    /// any data, a decoder would drop the type and dispatch nothing.) The empty type is the
    /// default, `message`, and no `event` line is written for it. Browsers also fire events of
    /// their own with the types `open` and `error`.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the type contains a CR or an LF, which the format cannot represent.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// const PING: Frame<'_> = match Frame::new().event("ping") {
    ///     Ok(frame) => frame,
    ///     Err(_) => panic!("invalid event type"),
    /// };
    /// assert_eq!(PING.to_string(), "event: ping\ndata: \n\n");
    ///
    /// let error = Frame::message("x").event("two\nlines").unwrap_err();
    /// assert_eq!((error.field(), error.byte(), error.position()), ("event", b'\n', 3));
    /// ```
    #[inline]
    pub const fn event(mut self, event: &'a str) -> Result<Self, InvalidField> {
        if let Some(error) = InvalidField::find("event", event.as_bytes(), false) {
            return Err(error);
        }
        self.event = event;
        if self.data.is_none() {
            self.data = Some("");
        }
        Ok(self)
    }

    /// Sets the ID, which a client sends as `Last-Event-ID` when it reconnects.
    ///
    /// The ID applies to this event and to those after it. An empty ID is written, and resets the
    /// ID to none. A frame with only an ID updates the client's position without an event (not in
    /// every browser).
    ///
    /// Avoid spaces and tabs at either end of an ID: HTTP strips them from the header, so no client
    /// sends them back unchanged, and some clients cannot send such an ID at all.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the ID contains a CR, an LF, or a NUL (a decoder ignores an ID with a
    /// NUL).
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").id("7")?.to_string(), "id: 7\ndata: x\n\n");
    /// assert_eq!(Frame::message("x").id("")?.to_string(), "id: \ndata: x\n\n");
    /// let error = Frame::message("x").id("7\0").unwrap_err();
    /// assert_eq!(error.to_string(), "id: NUL at byte 1");
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn id(mut self, id: &'a str) -> Result<Self, InvalidField> {
        if let Some(error) = InvalidField::find("id", id.as_bytes(), true) {
            return Err(error);
        }
        self.id = Some(id);
        Ok(self)
    }

    /// Sets the reconnection time: how long a client waits before it reconnects.
    ///
    /// It is written in whole milliseconds, rounded up so that no client reconnects earlier than
    /// requested, and capped at `u64::MAX` milliseconds.
    ///
    /// Keep it between 1 and 2147483647 ms: with 0, or with a greater value, some clients reconnect
    /// without any wait, or never. Set it on a frame with data: some clients ignore a `retry` line
    /// in a block without an event.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::time::Duration;
    ///
    /// let frame = Frame::new().retry(Duration::from_micros(1_500_001));
    /// assert_eq!(frame.to_string(), "retry: 1501\n");
    /// ```
    #[inline]
    pub const fn retry(mut self, time: Duration) -> Self {
        let round_up = time.subsec_nanos() % 1_000_000 != 0;
        let millis = time.as_millis() + round_up as u128;
        self.retry = Some(if millis > u64::MAX as u128 {
            u64::MAX
        } else {
            millis as u64
        });
        self
    }

    /// Sets the comment, which is written before the fields. Clients ignore it, with the exceptions
    /// listed at [`keep_alive`](Self::keep_alive); people and tools that inspect the stream see it.
    ///
    /// The text follows the colon directly. **Each of its lines is a separate comment**: if it
    /// contains a CR, an LF or a CRLF, a decoder that returns comments returns several.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").comment(" a\rb").to_string(), ": a\n:b\ndata: x\n\n");
    /// ```
    #[inline]
    pub const fn comment(mut self, comment: &'a str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Whether a decoder returns an event for this frame: whether it has data, even if empty.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert!(Frame::message("").is_event() && Frame::new().event("ping")?.is_event());
    /// assert!(!Frame::keep_alive().is_event() && !Frame::new().id("7")?.is_event());
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn is_event(&self) -> bool {
        self.data.is_some()
    }

    /// Removes the ID, so that no `id` line is written.
    ///
    /// For proxies that have just sent an event with the same ID: see the conversion of an
    /// [`Event`] into a frame.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").id("7")?.without_id(), Frame::message("x"));
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn without_id(mut self) -> Self {
        self.id = None;
        self
    }
}
