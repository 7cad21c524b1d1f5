//! The request that the driver has to send.

use core::time::Duration;

/// A request for the event stream.
///
/// Borrowed from [`Action::Connect`](crate::Action::Connect), with the URL and headers that the
/// standard prescribes. A driver sends it as a `GET`, or, if the server expects that, with another
/// method, a body and more headers.
///
/// The driver implements what Fetch would add, where it applies: mode `cors`, cache mode
/// `no-store`. It follows redirects, keeps these headers, and drops credentials at the first
/// redirect to another origin.
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
    /// The URL to request.
    pub url: &'s str,
    /// Whether to send credentials, such as cookies, to another origin.
    pub credentials: Credentials,
    /// The value of the header `Last-Event-ID`; `None` if the header is not sent.
    ///
    /// This is the last event ID string without leading and trailing spaces and tabs: HTTP strips
    /// them anyway, so no server receives them from any client. If nothing remains, it is empty.
    pub last_event_id: Option<&'s str>,
    /// `true` if there is a last event ID that no header can carry, so that the server will not
    /// know where to resume.
    ///
    /// This is the case if the ID contains a control character or is longer than
    /// [`max_last_event_id_len`](crate::EventSource::max_last_event_id_len). The request is made
    /// anyway: a stream from its beginning is better than none.
    pub last_event_id_omitted: bool,
    /// After this time without the head of a response, drop the request and report
    /// [`Disconnect::Timeout`](crate::Disconnect::Timeout). Set by
    /// [`response_timeout`](crate::EventSource::response_timeout).
    pub timeout: Option<Duration>,
    /// See [`cache_control`](crate::EventSource::cache_control).
    pub(super) cache_control: bool,
}

impl<'s> Request<'s> {
    /// Creates a request that sends `id` if there is one and a header can carry it.
    pub(super) fn new(
        url: &'s str,
        credentials: Credentials,
        id: &'s str,
        max_id_len: usize,
    ) -> Self {
        let value = trim_white_space(id);
        let can_be_sent = value.len() <= max_id_len && is_field_value(value);
        Self {
            url,
            credentials,
            last_event_id: (!id.is_empty() && can_be_sent).then_some(value),
            last_event_id_omitted: !can_be_sent,
            timeout: None,
            cache_control: true,
        }
    }

    /// The names and values of the headers; each name occurs once.
    ///
    /// Values are bytes: an ID is sent as UTF-8, and some libraries reject non-ASCII text values.
    /// *Set* these headers rather than adding them, so that none is sent twice.
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
        // Fetch sends this header for its cache mode "no-store".
        let cache_control = self
            .cache_control
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
    /// Send credentials only to the origin of the page: `same-origin`.
    #[default]
    SameOrigin,
    /// Send credentials to any origin: `include`, the standard's `withCredentials`.
    Include,
}

/// Removes leading and trailing spaces and tabs, as HTTP does.
fn trim_white_space(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether an HTTP header can carry this trimmed text unchanged. RFC 9110 forbids control
/// characters other than the tab.
fn is_field_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'\t' || !byte.is_ascii_control())
}
