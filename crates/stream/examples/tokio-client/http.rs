//! What reqwest does for the [`client`](crate::client), and what it leaves to be done.

use std::{
    error::Error,
    io::{self, ErrorKind},
    iter,
};

use reqwest::{
    Response, Url,
    header::{self, HeaderMap, HeaderValue},
    redirect,
};
use sse_proto::{Disconnect, Request};

pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    // With its default features reqwest brings cryptography of its own, and needs none of this.
    let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
    // Redirects are followed in `fetch`, and what comes compressed all the same is told.
    let builder = reqwest::Client::builder().redirect(redirect::Policy::none());
    builder.no_gzip().build()
}

/// What the machine asks for, and that nothing is compressed: compression holds events back until
/// a block is full.
pub(crate) fn headers(request: &Request<'_>) -> HeaderMap {
    let value = |bytes| HeaderValue::from_bytes(bytes).ok();
    let headers = request.headers();
    let mut map: HeaderMap = headers
        .filter_map(|(name, bytes)| Some((name.parse().ok()?, value(bytes)?)))
        .collect();
    map.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    map
}

/// Sends a GET request and follows redirects, up to the 20 of a browser.
///
/// reqwest could follow them too, but would take `own` headers along to wherever they lead.
pub(crate) async fn fetch(
    http: reqwest::Client,
    url: String,
    mut own: HeaderMap,
    headers: HeaderMap,
) -> Result<Response, Lost> {
    let mut url = Url::parse(&url).map_err(|_| Lost::futile("the URL is not valid"))?;
    for _ in 0..=20 {
        let request = http.get(url.clone()).headers(headers.clone());
        let response = request.headers(own.clone()).send().await?;
        let location = match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => response.headers().get(header::LOCATION),
            _ => None,
        };
        let Some(location) = location else {
            return not_compressed(response);
        };
        let next = match url.join(&String::from_utf8_lossy(location.as_bytes())) {
            Ok(next) if matches!(next.scheme(), "http" | "https") => next,
            _ => return Err(Lost::futile("a redirect to nowhere")),
        };
        if next.origin() != url.origin() {
            own.clear();
        }
        url = next;
    }
    Err(Lost::futile("too many redirects"))
}

/// It was asked not to be. Undecoded it would be a stream without events.
fn not_compressed(response: Response) -> Result<Response, Lost> {
    let encoding = response.headers().get(header::CONTENT_ENCODING);
    match encoding.map(HeaderValue::as_bytes) {
        Some(encoding) if response.status() == 200 && encoding != b"identity" => {
            Err(Lost::futile("the response is compressed"))
        }
        _ => Ok(response),
    }
}

/// A request without a response, or a body without an end.
pub(crate) struct Lost {
    pub(crate) cause: Disconnect,
    pub(crate) detail: Option<String>,
}

impl Lost {
    pub(crate) fn end_of_body() -> Self {
        Self {
            cause: Disconnect::EndOfBody,
            detail: None,
        }
    }

    pub(crate) fn network(detail: &str) -> Self {
        Self {
            cause: Disconnect::Network,
            detail: Some(detail.to_owned()),
        }
    }

    fn futile(detail: &str) -> Self {
        Self {
            cause: Disconnect::Futile,
            detail: Some(detail.to_owned()),
        }
    }
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let causes = iter::successors(Some(&error as &(dyn Error + 'static)), |&error| {
            error.source()
        });
        let is_futile = error.is_builder() || causes.clone().any(is_no_tls);
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        Self {
            cause: if is_futile {
                Disconnect::Futile
            } else {
                Disconnect::Network
            },
            detail: Some(causes.join(": ")),
        }
    }
}

/// Whether it is a certificate that is not trusted, or no TLS at all. Each layer has its wrapping.
fn is_no_tls(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        error.kind() == ErrorKind::InvalidData
            || error.get_ref().is_some_and(|error| is_no_tls(error))
    })
}
