//! What the driver is to send.

use core::time::Duration;

/// A request for the event stream.
///
/// It is lent by [`Action::Connect`](crate::Action::Connect) and says what the standard says. A
/// driver sends it as a `GET`, or, where the server wants it so, with another method, a body and
/// more headers.
///
/// What Fetch would add is the driver's to do, if it means anything there: mode `cors`, cache mode
/// `no-store`. Redirects are followed by the driver, which keeps these headers and drops
/// credentials at the first hop to another origin.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, EventSource};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// source.set_last_event_id("č7").unwrap();
/// let Action::Connect(request) = source.action() else { panic!() };
/// assert_eq!(request.url, "http://a.example/stream");
/// assert!(request.headers().eq([
///     ("Accept", &b"text/event-stream"[..]),
///     ("Cache-Control", b"no-cache"),
///     ("Last-Event-ID", b"\xC4\x8D7"),
/// ]));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request<'s> {
    /// Where to send it.
    pub url: &'s str,
    /// Whether cookies and the like go with it to another origin.
    pub credentials: Credentials,
    /// The value of the header `Last-Event-ID`; `None`: there is no such header.
    ///
    /// It is the last event ID string without blanks and tabs at its ends: HTTP takes them off on
    /// the way, so that no server sees them of any client. If there was nothing else, it is empty.
    pub last_event_id: Option<&'s str>,
    /// There is a last event id, but no header can carry it: the server will not know where to
    /// go on.
    ///
    /// So it is with an id that has a control character in it, or is longer than
    /// [`max_last_event_id_len`](crate::EventSource::max_last_event_id_len). The connection does
    /// not depend on it: a stream from its beginning is better than none.
    pub last_event_id_omitted: bool,
    /// After so much time without the head of a response the driver gives the request up and tells
    /// [`Disconnect::Timeout`](crate::Disconnect::Timeout): what
    /// [`response_timeout`](crate::EventSource::response_timeout) says.
    pub timeout: Option<Duration>,
    /// See [`cache_control`](crate::EventSource::cache_control).
    pub(super) has_cache_control: bool,
}

impl<'s> Request<'s> {
    /// A request that carries `id`, if there is one and a header can carry it.
    pub(super) fn new(
        url: &'s str,
        credentials: Credentials,
        id: &'s str,
        max_id_len: usize,
    ) -> Self {
        let value = trim_blanks(id);
        let can_be_sent = value.len() <= max_id_len && is_field_value(value);
        Self {
            url,
            credentials,
            last_event_id: (!id.is_empty() && can_be_sent).then_some(value),
            last_event_id_omitted: !can_be_sent,
            timeout: None,
            has_cache_control: true,
        }
    }

    /// Names and values of the headers, each name once.
    ///
    /// Values are bytes: an id is sent as UTF-8, which some libraries refuse to take for text.
    /// *Set* them, so that none is sent twice.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.headers().next(), Some(("Accept", &b"text/event-stream"[..])));
    /// # }
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'s [u8])> + use<'s> {
        // "no-store" is Fetch's mode; this is the header that it means.
        let cache_control = self
            .has_cache_control
            .then_some(("Cache-Control", &b"no-cache"[..]));
        let id = self
            .last_event_id
            .map(|id| ("Last-Event-ID", id.as_bytes()));
        [("Accept", &b"text/event-stream"[..])]
            .into_iter()
            .chain(cache_control)
            .chain(id)
    }
}

/// Fetch's credentials mode.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Credentials, EventSource};
///
/// let source = EventSource::new("http://a.example/stream").unwrap();
/// let source = source.credentials(Credentials::Include);
/// let Action::Connect(request) = source.action() else { panic!() };
/// assert_eq!(request.credentials, Credentials::Include);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// Only to the origin of the page: `same-origin`.
    #[default]
    SameOrigin,
    /// To any origin: `include`, the standard's `withCredentials`.
    Include,
}

/// Without the blanks at both ends, which HTTP takes off.
fn trim_blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether an HTTP header carries this, which has no blanks at its ends, and gives it back
/// unchanged. RFC 9110 forbids control characters but the tab.
fn is_field_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'\t' || !byte.is_ascii_control())
}
