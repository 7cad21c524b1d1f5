//! The origin of a URL, and what a URL must look like to be asked for one.
//!
//! No URL is parsed here as the URL standard does it: this is for texts that a URL library has
//! serialised. Nothing is stored either; an origin is a view of its URL.

use core::fmt::{self, Write};

/// The origin of a URL, as the standard serialises it: scheme, host, and a port that is not the
/// scheme's own.
///
/// It is made of parts of the URL, so it takes no memory; `Display` writes it, and it compares
/// with text. Case is folded, default ports are dropped, user names and passwords are no part of
/// it. A URL without one (`file:`, `data:`, anything that is none) has an opaque origin: `null`.
///
/// Other spellings are not normalised: take a URL that a URL library has serialised, so that
/// international and numeric hosts are in their one form.
///
/// ```
/// use sse_proto::Origin;
///
/// let origin = Origin::of("https://user@API.example:443/events?all");
/// assert_eq!(origin, "https://api.example");
/// assert_eq!(origin.to_string(), "https://api.example");
/// assert_eq!(Origin::of("http://[::1]:8080/"), "http://[::1]:8080");
/// assert_eq!(Origin::of("file:///tmp/stream"), "null");
/// ```
#[derive(Clone, Copy)]
pub struct Origin<'u> {
    /// Looked at only when the origin is: most messages are never asked where they come from.
    url: &'u str,
}

impl<'u> Origin<'u> {
    /// The origin of `url`.
    pub const fn of(url: &'u str) -> Self {
        Self { url }
    }

    /// Whether it is opaque, `null` when serialised. An opaque origin is never the same as
    /// another, though their texts are equal.
    ///
    /// ```
    /// # use sse_proto::Origin;
    /// assert!(Origin::of("data:text/event-stream,").is_opaque());
    /// assert!(!Origin::of("http://localhost/").is_opaque());
    /// ```
    pub fn is_opaque(&self) -> bool {
        self.parts().is_none()
    }

    /// The parts of a tuple origin: scheme, `://`, host, `:`, port; the last two are empty if it is
    /// the default port.
    fn parts(&self) -> Option<[&'u str; 5]> {
        match split_scheme(self.url) {
            // A blob has the origin of the page that made it: "If scheme is not "http" and not
            // "https", then return a new opaque origin."
            Some((scheme, page)) if scheme.eq_ignore_ascii_case("blob") => {
                tuple(page).filter(|_| is_http(page))
            }
            _ => tuple(self.url),
        }
    }

    fn chars(&self) -> impl Iterator<Item = char> + use<'u> {
        let parts = self.parts().unwrap_or(["null", "", "", "", ""]);
        let chars = parts.into_iter().flat_map(str::chars);
        chars.map(|char| char.to_ascii_lowercase())
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|char| f.write_char(char))
    }
}

impl fmt::Debug for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Compares the serialisations.
impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for Origin<'_> {}

impl PartialEq<str> for Origin<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<&str> for Origin<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// A text is not a URL to ask for an event stream.
///
/// A URL has a scheme, neither spaces nor control characters, and, if the scheme is `http` or
/// `https`, a host behind `://` and a valid port if any. No more is checked: a relative URL must be
/// resolved, and any URL serialised, by whoever makes an [`EventSource`](crate::EventSource) of it.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::EventSource;
///
/// let error = EventSource::new("../stream").unwrap_err();
/// assert_eq!(error.to_string(), "url is not absolute");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUrl {
    why: &'static str,
}

impl InvalidUrl {
    /// Whether `url` may be asked for an event stream.
    pub(super) fn check(url: &str) -> Result<(), Self> {
        let why = if url.bytes().any(|byte| byte <= b' ' || byte == 0x7F) {
            "url contains a space or a control character"
        } else if split_scheme(url).is_none() {
            "url is not absolute"
        } else if is_http(url) && Origin::of(url).is_opaque() {
            "url has no host, or a port that is none"
        } else {
            return Ok(());
        };
        Err(Self { why })
    }
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl core::error::Error for InvalidUrl {}

/// Whether it is fetched over HTTP.
pub(super) fn is_http(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    ["http", "https"]
        .iter()
        .any(|name| scheme.eq_ignore_ascii_case(name))
}

/// "A URL-scheme string must be one ASCII alpha, followed by zero or more of ASCII alphanumeric,
/// U+002B (+), U+002D (-), and U+002E (.)."
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_scheme = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

/// The parts of a tuple origin; `None`: it is opaque.
fn tuple(url: &str) -> Option<[&str; 5]> {
    const DEFAULT_PORTS: [(&str, &str); 5] = [
        ("http", "80"),
        ("https", "443"),
        ("ws", "80"),
        ("wss", "443"),
        ("ftp", "21"),
    ];
    let (scheme, rest) = split_scheme(url)?;
    let (_, default_port) = DEFAULT_PORTS
        .iter()
        .find(|(name, _)| scheme.eq_ignore_ascii_case(name))?;

    let authority = rest
        .strip_prefix("//")?
        .split(['/', '\\', '?', '#'])
        .next()?;
    let host_and_port = authority.rsplit('@').next()?;
    // The colons of an IPv6 address stand in brackets.
    let host_len = match host_and_port.find(']') {
        Some(bracket) => bracket + 1,
        None => host_and_port.find(':').unwrap_or(host_and_port.len()),
    };
    let host = host_and_port.get(..host_len)?;
    let port = match host_and_port.get(host_len..)? {
        "" => "",
        port => port.strip_prefix(':')?,
    };
    if host.is_empty() {
        return None;
    }
    if port.is_empty() {
        return Some([scheme, "://", host, "", ""]);
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() {
        return None;
    }
    Some(match port.trim_start_matches('0') {
        port if port == *default_port => [scheme, "://", host, "", ""],
        "" => [scheme, "://", host, ":", "0"],
        port => [scheme, "://", host, ":", port],
    })
}
