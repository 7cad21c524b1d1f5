//! Requests, by ureq: what the user adds to them, redirects, and what may go wrong.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Read},
    str,
    time::Duration,
};

use clap::Args;
use sse_proto::{Disconnect, Request};
use ureq::{
    Agent, Body, BodyReader,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request as HttpRequest,
        Response as HttpResponse, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
    },
};
use url::Url;

pub(crate) const HEADING: &str = "Options for a URL";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct Options {
    /// Send this header, too; it does not follow a redirect to another origin
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// Send this body (@FILE: from a file, @-: from standard input), as JSON if no header says otherwise
    #[arg(short, long, value_name = "BODY|@FILE")]
    data: Option<String>,

    /// Method of the request [default: GET, with a body POST]; none but a GET is sent again
    #[arg(short = 'X', long, value_name = "METHOD")]
    request: Option<Method>,

    /// Take a connection for lost that was silent so long; 0: never [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Options {
    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
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
    let (name, value) = text.split_once(':').ok_or("there is no colon in it")?;
    let name: HeaderName = name.parse().map_err(|_| "no header has such a name")?;
    if name == "last-event-id" {
        return Err("it changes with the events: use --last-event-id".into());
    }
    let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
    Ok((name, value.map_err(|error| error.to_string())?))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A user name or a password in a URL ends up in logs and in the requests of others.
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Sends one request, as often as it is asked for.
pub(crate) struct Client {
    agent: Agent,
    method: Method,
    /// The user's own.
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    /// Where it came from in the end.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyReader<'static>,
}

impl Client {
    pub(crate) fn new(options: &Options) -> io::Result<Self> {
        let body = options.data.as_deref().map(data).transpose()?;
        let mut headers: HeaderMap = options.header.iter().cloned().collect();
        if body.is_some() {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
        }
        let by_default = match body {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let timeout = options.timeout.unwrap_or(Duration::from_secs(300));
        let timeout = (!timeout.is_zero()).then_some(timeout);
        let agent = Agent::config_builder()
            .user_agent("sse-cat")
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            // What is compressed, is held back until a block is full; it is understood all the same.
            .accept_encoding("identity")
            .max_redirects(0) // they are followed below
            .max_idle_connections(0) // one that was kept may be lost by then
            .timeout_connect(timeout)
            .timeout_per_write(timeout)
            .timeout_per_read(timeout)
            .build()
            .into();
        Ok(Self {
            agent,
            method: options.request.clone().unwrap_or(by_default),
            headers,
            body,
        })
    }

    /// To end a read under way from another thread.
    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Whether sending it again does no harm.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.method == Method::GET
    }

    /// Sends `request` with all that the user added to it, and follows redirects as browsers do:
    /// but at the first hop to another origin, the user's headers stay behind, for any of them may
    /// be a secret.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Response, Error> {
        const MAX_REDIRECTS: usize = 20;

        let mut url = Url::parse(request.url).map_err(|_| Error::Redirect("to no URL"))?;
        let mut method = self.method.clone();
        let mut body = self.body.as_deref();
        let mut headers = self.headers.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(&url, &method, &headers, body, request)?;
            let status = response.status();
            let Some(next) = redirect(&response, &url)? else {
                return Response::new(url, response);
            };
            if next.origin() != url.origin() {
                let content_type = headers.remove(CONTENT_TYPE);
                headers.clear();
                headers.extend(content_type.map(|value| (CONTENT_TYPE, value)));
            }
            let to_get = match status {
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
                StatusCode::SEE_OTHER => method != Method::HEAD,
                _ => false,
            };
            if to_get {
                method = Method::GET;
                body = None;
                headers.remove(CONTENT_TYPE);
            }
            url = next;
        }
        Err(Error::Redirect("too often"))
    }

    fn exchange(
        &self,
        url: &Url,
        method: &Method,
        headers: &HeaderMap,
        body: Option<&[u8]>,
        request: Request<'_>,
    ) -> Result<HttpResponse<Body>, Error> {
        let mut http = HttpRequest::new(());
        *http.uri_mut() = url.as_str().parse().map_err(ureq::http::Error::from)?;
        *http.method_mut() = method.clone();
        *http.headers_mut() = headers.clone();
        for (name, value) in request.headers() {
            // The user's own Accept is meant.
            let value = HeaderValue::from_bytes(value).map_err(ureq::http::Error::from)?;
            http.headers_mut().entry(name).or_insert(value);
        }
        Ok(match body {
            Some(body) => self.agent.run(http.map(|()| body)),
            None => self.agent.run(http),
        }?)
    }
}

/// Where the response points to, if anywhere.
fn redirect(response: &HttpResponse<Body>, url: &Url) -> Result<Option<Url>, Error> {
    let location = match (response.status().as_u16(), response.headers().get(LOCATION)) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => location,
        _ => return Ok(None),
    };
    let location = str::from_utf8(location.as_bytes()).ok();
    match location.and_then(|location| url.join(location).ok()) {
        None => Err(Error::Redirect("to no URL")),
        Some(next) if !matches!(next.scheme(), "http" | "https") => {
            Err(Error::Redirect("away from the web"))
        }
        Some(next) if has_credentials(&next) => Err(Error::Redirect("to a URL with a password")),
        Some(next) => Ok(Some(next)),
    }
}

impl Response {
    fn new(url: Url, response: HttpResponse<Body>) -> Result<Self, Error> {
        let (head, body) = response.into_parts();
        // What ureq has decoded has no such header any more.
        let is_encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
        if head.status == StatusCode::OK
            && head.headers.get(CONTENT_ENCODING).is_some_and(is_encoded)
        {
            return Err(Error::ContentEncoding);
        }
        Ok(Self {
            status: head.status.as_u16(),
            url,
            headers: head.headers,
            body: body.into_reader(),
        })
    }
}

/// What `--data` means.
fn data(argument: &str) -> io::Result<Vec<u8>> {
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

/// There is no response.
#[derive(Debug)]
pub(crate) enum Error {
    Http(ureq::Error),
    Redirect(&'static str),
    ContentEncoding,
}

impl Error {
    /// Whether it may go better next time.
    pub(crate) fn cause(&self) -> Disconnect {
        match self {
            // A certificate that is not trusted, or no TLS at all.
            Self::Http(ureq::Error::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                Disconnect::Futile
            }
            Self::Http(
                ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::ConnectProxyFailed(_)
                | ureq::Error::Protocol(_),
            ) => Disconnect::Network,
            _ => Disconnect::Futile,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Redirect(how) => write!(f, "redirected {how}"),
            Self::ContentEncoding => f.write_str("the body has a content encoding other than gzip"),
        }
    }
}

impl From<ureq::Error> for Error {
    fn from(error: ureq::Error) -> Self {
        Self::Http(error)
    }
}

impl From<ureq::http::Error> for Error {
    fn from(error: ureq::http::Error) -> Self {
        Self::Http(error.into())
    }
}
