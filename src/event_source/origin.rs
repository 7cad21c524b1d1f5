//! The origin of a URL, and the check that a URL is valid for an event source.
//!
//! This is no URL parser in the sense of the URL standard: it expects text that a URL library has
//! serialised. Nothing is stored; an origin is a view of its URL.

use core::fmt::{self, Write};

/// The origin of a URL, as the standard serialises it: scheme, host, and the port unless it is the
/// default of the scheme.
///
/// It borrows from the URL and needs no memory of its own. `Display` writes it, and it can be
/// compared with text. ASCII letters are lowercased; default ports, user names and passwords are
/// removed. A URL without an origin (`file:`, `data:`, an invalid URL) has an opaque origin:
/// `null`.
///
/// Nothing else is normalised. Pass a URL that a URL library has serialised, so that international
/// and numeric hosts are in their canonical form.
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
    /// Parsed on use: most callers never look at the origin of a message.
    url: &'u str,
}

impl<'u> Origin<'u> {
    /// Returns the origin of `url`.
    ///
    /// ```
    /// assert_eq!(sse_proto::Origin::of("http://a.example:80/x"), "http://a.example");
    /// ```
    pub const fn of(url: &'u str) -> Self {
        Self { url }
    }

    /// Whether the origin is opaque, that is, serialised as `null`. Two opaque origins are never
    /// the same, although their serialisations are equal.
    ///
    /// ```
    /// # use sse_proto::Origin;
    /// assert!(Origin::of("data:text/event-stream,").is_opaque());
    /// assert!(!Origin::of("http://localhost/").is_opaque());
    /// ```
    pub fn is_opaque(&self) -> bool {
        self.parts().is_none()
    }

    /// The parts of a tuple origin: scheme, `://`, host, `:`, port. The last two are empty for the
    /// default port. `None` if the origin is opaque.
    fn parts(&self) -> Option<[&'u str; 5]> {
        match split_scheme(self.url) {
            // A blob URL has the origin of the page that created it: "If scheme is not "http" and
            // not "https", then return a new opaque origin."
            Some((scheme, page)) if scheme.eq_ignore_ascii_case("blob") => {
                tuple_origin(page).filter(|_| is_http(page))
            }
            _ => tuple_origin(self.url),
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

/// A URL cannot be used for an event source.
///
/// A valid URL has a scheme, contains neither spaces nor control characters, and, if the scheme is
/// `http` or `https`, has a host after `://` and a valid port or none. Nothing else is checked:
/// resolve relative URLs, and serialise the URL, before you create an
/// [`EventSource`](crate::EventSource) with it.
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
    message: &'static str,
}

impl InvalidUrl {
    /// Checks that `url` can be used for an event source.
    pub(super) fn check(url: &str) -> Result<(), Self> {
        let message = if url.bytes().any(|byte| byte <= b' ' || byte == 0x7F) {
            "url contains a space or a control character"
        } else if split_scheme(url).is_none() {
            "url is not absolute"
        } else if is_http(url) && Origin::of(url).is_opaque() {
            "url has no host, or its port is invalid"
        } else {
            return Ok(());
        };
        Err(Self { message })
    }
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl core::error::Error for InvalidUrl {}

/// Whether `url` has the scheme `http` or `https`.
pub(super) fn is_http(url: &str) -> bool {
    let scheme = split_scheme(url).map_or("", |(scheme, _)| scheme);
    ["http", "https"]
        .iter()
        .any(|name| scheme.eq_ignore_ascii_case(name))
}

/// "A URL-scheme string must be one ASCII alpha, followed by zero or more of ASCII alphanumeric,
/// U+002B (+), U+002D (-), and U+002E (.)."
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = split_once_byte(url, |byte| byte == b':')?;
    let mut bytes = scheme.bytes();
    let is_scheme = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

/// See [`Origin::parts`]. This does not handle `blob:`.
fn tuple_origin(url: &str) -> Option<[&str; 5]> {
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

    let rest = rest.strip_prefix("//")?;
    let authority = take_until(rest, |byte| b"/\\?#".contains(&byte));
    let user_end = authority.bytes().rposition(|byte| byte == b'@');
    let host_and_port = authority.get(user_end.map_or(0, |at| at + 1)..)?;
    // An IPv6 address contains colons, inside brackets.
    let (host, port) = if host_and_port.starts_with('[') {
        let (address, port) = split_once_byte(host_and_port, |byte| byte == b']')?;
        (host_and_port.get(..address.len() + 1)?, port)
    } else {
        let host = take_until(host_and_port, |byte| byte == b':');
        (host, host_and_port.get(host.len()..)?)
    };
    let port = match port {
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
    let zeros = port.len() - port.bytes().skip_while(|&byte| byte == b'0').count();
    Some(match port.get(zeros..)? {
        port if port == *default_port => [scheme, "://", host, "", ""],
        "" => [scheme, "://", host, ":", "0"],
        port => [scheme, "://", host, ":", port],
    })
}

// Delimiters are ASCII and searched for as bytes: the compiler cannot prove that `str::find` with
// characters does not panic.

/// The text before the first byte that matches, or the whole text.
fn take_until(text: &str, is_end: impl Fn(u8) -> bool) -> &str {
    let end = text.bytes().position(is_end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The text before and after the first byte that matches.
fn split_once_byte(text: &str, is_delimiter: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let index = text.bytes().position(is_delimiter)?;
    Some((text.get(..index)?, text.get(index + 1..)?))
}
