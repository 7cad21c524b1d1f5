//! What the driver is to send.

/// A request for the event stream.
///
/// It is lent by [`Action::Connect`](crate::Action::Connect) and says what the standard says: a
/// driver sends it as it is, or with another method, a body and headers of its own. To the server
/// it is a `GET` unless the driver knows better.
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
    pub last_event_id: Option<&'s str>,
    /// There is a last event id, but no header can carry it: the server will not know where to
    /// go on.
    ///
    /// So it is with an id that begins or ends with a space or a tab, has a control character in
    /// it, or is longer than
    /// [`max_last_event_id_len`](crate::EventSource::max_last_event_id_len). The connection does
    /// not depend on it: a stream from its beginning is better than none.
    pub last_event_id_left_out: bool,
}

impl<'s> Request<'s> {
    pub(super) fn new(
        url: &'s str,
        credentials: Credentials,
        id: &'s str,
        max_id_len: usize,
    ) -> Self {
        let can_be_sent = id.len() <= max_id_len && is_field_value(id);
        Self {
            url,
            credentials,
            last_event_id: (!id.is_empty() && can_be_sent).then_some(id),
            last_event_id_left_out: !can_be_sent,
        }
    }

    /// Names and values of the headers, each name once.
    ///
    /// Values are bytes: an id is sent as UTF-8, which some libraries refuse to take for text.
    /// *Set* them, so that none is sent twice.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'s [u8])> + use<'s> {
        let id = self.last_event_id.map(str::as_bytes);
        [
            ("Accept", &b"text/event-stream"[..]),
            // "no-store" is Fetch's mode; this is the header that it means.
            ("Cache-Control", b"no-cache"),
        ]
        .into_iter()
        .chain(id.map(|id| ("Last-Event-ID", id)))
    }
}

/// Fetch's credentials mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// Only to the origin of the page: `same-origin`.
    #[default]
    SameOrigin,
    /// To any origin: `include`, the standard's `withCredentials`.
    Include,
}

/// Whether an HTTP header carries this and gives it back unchanged. Fetch forbids blanks at the
/// ends, RFC 9110 control characters but the tab.
fn is_field_value(text: &str) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    !is_blank(bytes.first())
        && !is_blank(bytes.last())
        && bytes
            .iter()
            .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}
