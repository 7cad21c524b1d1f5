//! The request that follows a redirect: its URL, and which headers and body it may have.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use sse_proto::Origin;

/// The limit of the Fetch standard.
pub(crate) const MAX_REDIRECTS: u8 = 20;

/// Returns the value of `Location` if the response is a redirect.
pub(crate) fn location<B>(response: &Response<B>) -> Option<&[u8]> {
    match response.status().as_u16() {
        301 | 302 | 303 | 307 | 308 => {
            let location = response.headers().get(header::LOCATION)?;
            Some(location.as_bytes())
        }
        _ => None,
    }
}

/// Returns the request that follows a redirect with this status to `url`: Fetch's "HTTP-redirect
/// fetch".
///
/// It has none of the caller's headers if `url` has another origin. `None` if a body would be sent
/// to another origin.
pub(crate) fn follow(
    mut request: Request<Bytes>,
    status: StatusCode,
    url: Uri,
) -> Option<Request<Bytes>> {
    let becomes_get = match status.as_u16() {
        301 | 302 => request.method() == Method::POST,
        303 => request.method() != Method::GET && request.method() != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = Bytes::new();
        for name in [
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_LENGTH,
            header::CONTENT_LOCATION,
            header::CONTENT_TYPE,
        ] {
            request.headers_mut().remove(name);
        }
    }
    if !is_same_origin(&request.uri().to_string(), &url.to_string()) {
        if !request.body().is_empty() {
            return None;
        }
        remove_caller_headers(&mut request);
    }
    *request.uri_mut() = url;
    Some(request)
}

/// Removes the caller's headers and extensions; keeps the headers of the client itself.
pub(crate) fn remove_caller_headers(request: &mut Request<Bytes>) {
    let old = std::mem::take(request.headers_mut());
    *request.headers_mut() = CLIENT_HEADERS
        .iter()
        .filter_map(|name| Some((name.clone(), old.get(name)?.clone())))
        .collect::<HeaderMap>();
    // The caller may have replaced these two.
    request
        .headers_mut()
        .insert(header::ACCEPT, super::EVENT_STREAM);
    request
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, super::IDENTITY);
    request.extensions_mut().clear();
}

/// Headers of the client itself that are sent to every origin.
const CLIENT_HEADERS: [http::HeaderName; 2] = [header::CACHE_CONTROL, super::LAST_EVENT_ID];

/// Whether `url` contains a user name or password and has another origin than `from`. Fetch treats
/// that as a network error: a server must not choose the credentials for another one.
pub(crate) fn has_credentials(url: &Uri, from: &Uri) -> bool {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    authority.contains('@') && !is_same_origin(&url.to_string(), &from.to_string())
}

pub(crate) fn is_same_origin(one: &str, other: &str) -> bool {
    let (one, other) = (Origin::of(one), Origin::of(other));
    !one.is_opaque() && one == other
}

/// Resolves `location` relative to `base`: RFC 3986, section 5.2. Like browsers, it accepts
/// surrounding white space, line terminators, backslashes and characters that should be
/// percent-encoded. `None` if the result is not an HTTP URL.
pub(crate) fn resolve(base: &Uri, location: &[u8]) -> Option<Uri> {
    let location = normalize(location);
    let (scheme, rest) = match split_scheme(&location) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
        Some(_) => return None,
        None => (base.scheme_str()?, &location[..]),
    };
    let has_scheme = rest.len() < location.len();
    let (authority, path_and_query) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None if has_scheme => return None,
        None => (base.authority()?.as_str(), rest),
    };
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let has_base_authority = !rest.starts_with("//");
    let (path, query) = match path {
        "" if has_base_authority => (
            base.path().to_owned(),
            query.or(base.query().filter(|_| query.is_none())),
        ),
        path if has_base_authority && !path.starts_with('/') => {
            let folder = base
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            (format!("{folder}/{path}"), query)
        }
        path => (path.to_owned(), query),
    };
    let path = remove_dot_segments(&path);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}{path}{query}").parse().ok()
}

/// Trims white space, removes the fragment, and percent-encodes what a request URL cannot contain.
fn normalize(location: &[u8]) -> String {
    let is_blank = |byte: &u8| *byte <= b' ';
    let start = location.iter().position(|byte| !is_blank(byte));
    let end = location.iter().rposition(|byte| !is_blank(byte));
    let location = match (start, end) {
        (Some(start), Some(end)) => &location[start..=end],
        _ => &[],
    };
    let mut text = String::with_capacity(location.len());
    let mut is_in_query = false;
    for byte in location {
        match byte {
            b'#' => break,
            b'\t' | b'\n' | b'\r' => continue,
            b'\\' if !is_in_query => text.push('/'),
            0..=b' ' | b'"' | b'<' | b'>' | 0x7F.. => text += &format!("%{byte:02X}"),
            b'^' | b'`' | b'{' | b'}' if !is_in_query => text += &format!("%{byte:02X}"),
            b'\'' if is_in_query => text += "%27",
            byte => text.push((*byte).into()),
        }
        is_in_query |= *byte == b'?';
    }
    text
}

fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

/// RFC 3986, section 5.2.4; percent-encoded dots count as dots.
fn remove_dot_segments(path: &str) -> String {
    let mut output: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." => {
                output.pop();
            }
            _ => {
                output.push(segment);
                continue;
            }
        }
        if is_last {
            output.push("");
        }
    }
    format!("/{}", output.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    fn resolved(base: &str, location: &str) -> Option<String> {
        let url = resolve(&base.parse().unwrap(), location.as_bytes())?;
        Some(url.to_string())
    }

    /// The reference: the `url` crate, which implements the URL standard of browsers.
    fn expected(base: &str, location: &str) -> Option<String> {
        let mut url = url::Url::parse(base).unwrap().join(location).ok()?;
        url.set_fragment(None);
        ["http", "https"]
            .contains(&url.scheme())
            .then(|| url.to_string())
    }

    #[test]
    fn a_location_is_resolved_as_browsers_resolve_it() {
        let bases = [
            "http://a.example",
            "http://a.example/",
            "https://user:pw@a.example:8443/one/two/three?x=/1",
            "http://[::1]:80/one/",
        ];
        let locations = [
            "",
            "#x",
            "?",
            "?y",
            "?y#x",
            "/",
            "/x",
            "/x?y?z",
            "x",
            "x/",
            "./x",
            "../x",
            "../../../x",
            "..",
            ".",
            "./",
            "../",
            "/a/./b/../c",
            "/a/b/..",
            "/a/b/.",
            "/a/%2e%2E/b",
            "/%2E",
            "x:",
            "x/y:z",
            "./y:z",
            "/y:z",
            "//b.example",
            "//b.example/x",
            "//b.example?x",
            "//b.example:81/x/../y",
            "http://b.example",
            "https://b.example/x?y#z",
            "HTTPS://b.example/",
            "ftp://b.example/",
            "javascript:0",
            "mailto:a@b.example",
            " /x ",
            "\t/x\n",
            "/x y",
            "/\u{e9}",
            "/x?\u{e9}'",
            "/\"<>`{}|",
            "/x?\"<>`{}|",
            "\\x",
            "/x\\y",
            "\\\\b.example\\x",
            "/x?\\y",
            "//",
            "/%zz",
            "/;x=1",
            "/~!$&()*+,=@",
            "/a//b",
            "//b.example//x",
        ];
        for base in bases {
            for location in locations {
                let actual = resolved(base, location).and_then(|url| expected(&url, ""));
                assert_eq!(actual, expected(base, location), "{base} {location:?}");
            }
        }
    }
}
