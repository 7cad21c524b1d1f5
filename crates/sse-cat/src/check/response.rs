//! Checks the head of a response.

use std::mem;

use super::finding::{Code, Report};
use crate::{
    Failure,
    output::{Escaped, content_type},
};
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
    response,
};
use sse_proto::is_event_stream;

/// What can be done with the body.
pub(super) enum Body {
    /// It is an event stream.
    Plain,
    /// It is an event stream that is compressed with gzip.
    Gzip,
    /// It is an event stream that is compressed in another way.
    Unreadable,
    /// Clients do not read it.
    Refused,
}

pub(super) fn check(head: &response::Parts, report: &mut Report) -> Result<Body, Failure> {
    let headers = &head.headers;
    let status = head.status.as_u16();
    if head.status != StatusCode::OK {
        let why = match status {
            204 => "this tells clients not to connect again",
            _ => "clients give up at any status but 200",
        };
        report.head(Code::Status, format_args!("status {status}: {why}"))?;
        return Ok(Body::Refused);
    }
    if !is_event_stream(headers.get_all(CONTENT_TYPE)) {
        let found = content_type(headers);
        let why = format!("{found}: clients give up unless it is text/event-stream");
        report.head(Code::ContentType, why)?;
        return Ok(Body::Refused);
    }
    let charset = charset(headers);
    if let Some(charset) = charset.filter(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        let charset = Escaped(&charset).to_string();
        report.head(
            Code::Charset,
            format_args!(
                "charset={charset}: Chromium closes the stream unless it is spelled utf-8; other \
                 clients decode the stream as UTF-8 in any case"
            ),
        )?;
    }
    let cache_control = lower_case(headers, CACHE_CONTROL);
    let is_safe = ["no-store", "no-cache", "private"];
    if !is_safe.iter().any(|word| cache_control.contains(word)) {
        report.head(
            Code::CacheControl,
            "without no-store, no-cache and private, a shared cache may send one client the stream of \
             another",
        )?;
    }
    let encoding = lower_case(headers, CONTENT_ENCODING);
    let encoding = encoding.trim();
    if matches!(encoding, "" | "identity") {
        return Ok(Body::Plain);
    }
    let shown = Escaped(encoding);
    let (why, body) = match is_gzip(headers) {
        true => ("", Body::Gzip),
        false => (", and the body was not checked", Body::Unreadable),
    };
    report.head(
        Code::Compressed,
        format_args!(
            "Content-Encoding: {shown}, although the request allows only identity: compression delays \
             events, and not all clients can decode it{why}"
        ),
    )?;
    Ok(body)
}

/// Returns whether the body is compressed with gzip.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let encoding = lower_case(headers, CONTENT_ENCODING);
    matches!(encoding.trim(), "gzip" | "x-gzip")
}

/// Returns all values of a header.
fn lower_case(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).into_iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    values.collect::<Vec<_>>().join(",")
}

/// Returns the `charset` parameter of the last content type.
fn charset(headers: &HeaderMap) -> Option<String> {
    let value = headers.get_all(CONTENT_TYPE).into_iter().next_back()?;
    let value = String::from_utf8_lossy(value.as_bytes());
    // A semicolon in a quoted string separates nothing.
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_separator = |char| {
        if mem::take(&mut is_escaped) {
            return false;
        }
        is_quoted ^= char == '"';
        is_escaped = is_quoted && char == '\\';
        char == ';' && !is_quoted
    };
    let mut parameters = value.split(is_separator).skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_owned())
    })
}
