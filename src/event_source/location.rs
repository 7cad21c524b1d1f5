//! Which URL the next request goes to, and which URL the current stream comes from.

use core::mem;

/// Which URL a reconnect goes to after redirects.
///
/// Browsers differ. [`OriginalUrl`](Self::OriginalUrl) is what WebKit does, and lets a server
/// redirect its clients anew on each connection.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource, ReconnectTo};
///
/// let next_url = |to, hops: &[(u16, &'static str)]| {
///     let source = EventSource::new("http://a.example/").unwrap();
///     let mut source = source.reconnect_to(to);
///     for (status, url) in hops {
///         source.handle_redirect(*status, url);
///     }
///     let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
///     let _error = source.handle_disconnect(Disconnect::EndOfBody);
///     source.handle_wait_elapsed();
///     let Action::Connect(request) = source.action() else { panic!() };
///     request.url.to_owned()
/// };
/// let hops = [(301, "http://b.example/"), (302, "http://c.example/")];
/// assert_eq!(next_url(ReconnectTo::OriginalUrl, &hops), "http://a.example/");
/// assert_eq!(next_url(ReconnectTo::PermanentUrl, &hops), "http://b.example/");
/// assert_eq!(next_url(ReconnectTo::FinalUrl, &hops), "http://c.example/");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReconnectTo {
    /// The original URL, regardless of redirects.
    #[default]
    OriginalUrl,
    /// The target of the leading permanent redirects (status 301 or 308).
    ///
    /// A permanent redirect after a temporary one only moves the temporary location, and does not
    /// count, in accordance with RFC 9110 (in Firefox it counts).
    ///
    /// Requires [`handle_redirect`](crate::EventSource::handle_redirect): if the driver's HTTP
    /// library follows redirects internally, the driver cannot know which were permanent.
    PermanentUrl,
    /// The target of the last redirect, temporary or not: the letter of the standard, and what
    /// Chromium does.
    FinalUrl,
}

/// The original URL, and those that redirects led to.
#[derive(Debug, Clone)]
pub(super) struct Location<U> {
    original: U,
    /// The target of permanent redirects.
    permanent: Option<U>,
    /// The target of the last redirect, the final URL, or a replaced original URL, unless it is
    /// stored in `permanent`.
    latest: Option<U>,
    /// Where the next request goes.
    request: Slot,
    /// Where the current stream comes from, or the last one.
    stream: Slot,
    /// Of the current request.
    redirects: Redirects,
    pub(super) reconnect_to: ReconnectTo,
}

/// One of the stored URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Original,
    Permanent,
    Latest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirects {
    None,
    /// All were permanent so far.
    Permanent,
    Mixed,
}

impl<U> Location<U> {
    pub(super) const fn new(url: U) -> Self {
        Self {
            original: url,
            permanent: None,
            latest: None,
            request: Slot::Original,
            stream: Slot::Original,
            redirects: Redirects::None,
            reconnect_to: ReconnectTo::OriginalUrl,
        }
    }

    /// Forgets the redirects of the current request.
    pub(super) fn end_request(&mut self) {
        self.redirects = Redirects::None;
    }

    /// Records a redirect of the current request.
    pub(super) fn redirect(&mut self, status: u16, url: U) {
        self.redirects = match (self.redirects, status) {
            (Redirects::None | Redirects::Permanent, 301 | 308) => Redirects::Permanent,
            _ => Redirects::Mixed,
        };
        if self.redirects == Redirects::Permanent && self.reconnect_to == ReconnectTo::PermanentUrl
        {
            self.permanent = Some(url);
            self.request = Slot::Permanent;
            self.stream = Slot::Permanent;
        } else {
            self.set_latest(url);
        }
    }

    /// A response has opened the connection. The stream comes from `final_url`, or else from the
    /// target of the recorded redirects.
    pub(super) fn accept(&mut self, final_url: Option<U>) {
        if let Some(url) = final_url {
            self.set_latest(url);
        } else if self.redirects == Redirects::None {
            self.stream = self.request;
        }
    }

    fn set_latest(&mut self, url: U) {
        self.latest = Some(url);
        self.stream = Slot::Latest;
        if self.reconnect_to == ReconnectTo::FinalUrl {
            self.request = Slot::Latest;
        }
    }

    /// Replaces the original URL, for later requests. The URL of the current stream is kept.
    pub(super) fn replace(&mut self, url: U) {
        let old = mem::replace(&mut self.original, url);
        if self.stream == Slot::Original {
            self.latest = Some(old);
            self.stream = Slot::Latest;
        }
        self.request = Slot::Original;
    }

    pub(super) const fn original_url(&self) -> &U {
        &self.original
    }

    pub(super) fn request_url(&self) -> &U {
        self.get(self.request)
    }

    pub(super) fn stream_url(&self) -> &U {
        self.get(self.stream)
    }

    fn get(&self, slot: Slot) -> &U {
        let url = match slot {
            Slot::Original => None,
            Slot::Permanent => self.permanent.as_ref(),
            Slot::Latest => self.latest.as_ref(),
        };
        url.unwrap_or(&self.original)
    }
}
