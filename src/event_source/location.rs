//! Where requests go, and where the stream under way comes from.

use core::mem;

/// Where a reconnect goes when redirects have led away from the URL that was given.
///
/// Browsers differ; [`OriginalUrl`](Self::OriginalUrl) is what WebKit does, and what lets a server
/// move its clients again and again.
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
    /// To the URL that was given, whatever redirects said.
    #[default]
    OriginalUrl,
    /// To where the first redirects led, as long as they were permanent (status 301 or 308).
    ///
    /// A permanent redirect behind a temporary one moves only the temporary place, and does not
    /// count: so RFC 9110 has it (Firefox lets it count).
    ///
    /// Takes [`handle_redirect`](crate::EventSource::handle_redirect): a driver whose HTTP library
    /// follows redirects unseen cannot tell which were permanent.
    PermanentUrl,
    /// To where the last redirect led, temporary or not: the letter of the standard, and Chromium.
    FinalUrl,
}

/// The URL that was given, and those that redirects led to.
#[derive(Debug, Clone)]
pub(super) struct Location<U> {
    given: U,
    /// Where permanent redirects have moved it.
    moved: Option<U>,
    /// Where the last redirect led, if not to `moved`.
    last: Option<U>,
    /// Where the next request goes.
    target: Place,
    /// Where the stream under way comes from, or the last one.
    source: Place,
    /// Of the request under way.
    redirects: Redirects,
    pub(super) reconnect_to: ReconnectTo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Given,
    Moved,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirects {
    None,
    /// All of them, so far.
    Permanent,
    Mixed,
}

impl<U> Location<U> {
    pub(super) const fn new(url: U) -> Self {
        Self {
            given: url,
            moved: None,
            last: None,
            target: Place::Given,
            source: Place::Given,
            redirects: Redirects::None,
            reconnect_to: ReconnectTo::OriginalUrl,
        }
    }

    /// The request under way is done with; the next one begins anew.
    pub(super) fn end_request(&mut self) {
        self.redirects = Redirects::None;
    }

    /// The request under way was redirected.
    pub(super) fn redirect(&mut self, status: u16, url: U) {
        self.redirects = match (self.redirects, status) {
            (Redirects::None | Redirects::Permanent, 301 | 308) => Redirects::Permanent,
            _ => Redirects::Mixed,
        };
        if self.redirects == Redirects::Permanent && self.reconnect_to == ReconnectTo::PermanentUrl
        {
            self.moved = Some(url);
            self.target = Place::Moved;
            self.source = Place::Moved;
        } else {
            self.lead_to(url);
        }
    }

    /// A response has opened the connection. It comes from `final_url`, or else from where the
    /// redirects that were told led.
    pub(super) fn accept(&mut self, final_url: Option<U>) {
        if let Some(url) = final_url {
            self.lead_to(url);
        } else if self.redirects == Redirects::None {
            self.source = self.target;
        }
    }

    fn lead_to(&mut self, url: U) {
        self.last = Some(url);
        self.source = Place::Last;
        if self.reconnect_to == ReconnectTo::FinalUrl {
            self.target = Place::Last;
        }
    }

    /// Requests go to another URL from now on. The stream under way comes from where it came from.
    pub(super) fn replace(&mut self, url: U) {
        let old = mem::replace(&mut self.given, url);
        if self.source == Place::Given {
            self.last = Some(old);
            self.source = Place::Last;
        }
        self.target = Place::Given;
    }

    pub(super) const fn given(&self) -> &U {
        &self.given
    }

    pub(super) fn target(&self) -> &U {
        self.at(self.target)
    }

    pub(super) fn source(&self) -> &U {
        self.at(self.source)
    }

    fn at(&self, place: Place) -> &U {
        let url = match place {
            Place::Given => None,
            Place::Moved => self.moved.as_ref(),
            Place::Last => self.last.as_ref(),
        };
        url.unwrap_or(&self.given)
    }
}
