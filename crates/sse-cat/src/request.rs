//! The options for requests, and the HTTP client, which is reqwest.

use std::{
    cell::RefCell,
    fs,
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::output::{EXCERPT_LEN, Output};
use bytes::Bytes;
use clap::Args;
use http::{HeaderName, HeaderValue, Method, Request, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use reqwest::{Certificate, Client, Url, redirect::Policy};
use sse_proto_stream::Reqwest;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

pub(crate) const HEADING: &str = "Options for a URL";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct Options {
    /// Send this header, except after a redirect to another origin; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// Send this body (@FILE: from a file, @-: from standard input); the Content-Type is JSON by
    /// default
    #[arg(short, long, value_name = "BODY|@FILE")]
    data: Option<String>,

    /// Request method; only GET requests are repeated [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    request: Option<Method>,

    /// Treat a connection as lost if nothing was received for this time; 0: no timeout [default:
    /// 300]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Options {
    pub(crate) fn is_any_set(&self) -> bool {
        let Self {
            header,
            data,
            request,
            timeout,
        } = self;
        !header.is_empty() || data.is_some() || request.is_some() || timeout.is_some()
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("no colon after the name")?;
    let name: HeaderName = name.parse().map_err(|_| "not a valid header name")?;
    if name == "last-event-id" {
        return Err("this header changes with each event: use --last-event-id".into());
    }
    let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
    Ok((name, value.map_err(|error| error.to_string())?))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Credentials in a URL end up in logs and in requests to other servers.
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

impl Options {
    /// Creates the request for the stream at `url`.
    pub(crate) fn request(&self, url: &Url) -> io::Result<Request<Bytes>> {
        let body = self.data.as_deref().map(read_data).transpose()?;
        let default_method = match body {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.request.clone().unwrap_or(default_method);
        *request.uri_mut() = url.as_str().parse().map_err(io::Error::other)?;
        request.headers_mut().extend(self.header.iter().cloned());
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().entry(CONTENT_TYPE).or_insert(json);
            *request.body_mut() = body.into();
        }
        Ok(request)
    }

    /// Returns how long a connection may be silent, if there is a limit.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let timeout = self.timeout.unwrap_or(Duration::from_secs(300));
        (!timeout.is_zero()).then_some(timeout)
    }
}

/// Creates a client that trusts the root certificates of the system or, if there are none, of
/// browsers. `decompress` is whether it decompresses bodies that are compressed with gzip.
pub(crate) fn client(decompress: bool) -> reqwest::Result<Reqwest> {
    let _newly_installed = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        Client::builder()
            .user_agent("sse-cat")
            .gzip(decompress)
            .redirect(Policy::none()) // EventSource follows redirects
            .pool_max_idle_per_host(0) // by the next attempt, an idle connection may be lost
    };
    let client = builder().build().or_else(|_| {
        let roots = TLS_SERVER_ROOT_CERTS.iter();
        let roots = roots.filter_map(|root| Certificate::from_der(root).ok());
        builder().tls_certs_only(roots).build()
    });
    Ok(client?.into())
}

/// A body whose frames are noted in the output (`--times`), split into chunks (`--chunk`) and
/// followed by a suffix (`--finish`).
pub(crate) struct ChunkedBody<'a, B> {
    pub(crate) body: B,
    pub(crate) output: &'a RefCell<Output>,
    /// The start of the body, for the case that it is no event stream.
    pub(crate) start: &'a RefCell<Vec<u8>>,
    pub(crate) chunk_len: usize,
    pub(crate) suffix: &'static [u8],
    /// The rest of the current frame of `body`.
    pub(crate) rest: Bytes,
}

impl<B: Body<Data = Bytes> + Unpin> Body for ChunkedBody<'_, B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        while self.rest.is_empty() {
            self.rest = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    let mut output = self.output.borrow_mut();
                    // An error occurs again when the next item is printed.
                    let _ = output.chunk(&data, true).and_then(|()| output.flush());
                    drop(output);
                    let mut start = self.start.borrow_mut();
                    let more = (EXCERPT_LEN + 1).saturating_sub(start.len());
                    start.extend_from_slice(&data[..data.len().min(more)]);
                    drop(start);
                    data
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.suffix.is_empty() => return Poll::Ready(None),
                None => Bytes::from_static(std::mem::take(&mut self.suffix)),
            };
        }
        let len = self.chunk_len.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }
}

/// Returns the body that `--data` specifies.
fn read_data(argument: &str) -> io::Result<Vec<u8>> {
    match argument.strip_prefix('@') {
        Some("-") => {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body)?;
            Ok(body)
        }
        Some(path) => fs::read(path),
        None => Ok(argument.into()),
    }
}
