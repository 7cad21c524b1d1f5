//! The interfaces to an HTTP library and to a timer.

use std::{error, fmt, future::Future, io, iter, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

/// An HTTP library: sends a request and resolves to the head of its response.
///
/// It is implemented for every
/// `FnMut(http::Request<Bytes>) -> impl Future<Output = Result<http::Response<B>, E>>` whose `B` is
/// an `http_body::Body`. The features `reqwest-0_13` and `hyper-util-0_1` add types for these
/// libraries.
///
/// An implementation must not follow redirects: [`EventSource`](crate::EventSource) does, without
/// sending the caller's headers to other origins. If a library always follows them, set the
/// [`FinalUrl`] of the response.
///
/// It is called for every request, including those that follow redirects. To set a header for each
/// attempt, see [`EventSource::prepare_request`](crate::EventSource::prepare_request).
///
/// A function that calls another `Connect` can correct its responses: to read a stream that a
/// server sends with another `Content-Type`, or with none, set that header.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use sse_proto_stream::{ConnectError, EventSource};
///
/// let connect = async |request: Request<Bytes>| {
///     assert_eq!(request.headers()["accept"], "text/event-stream");
///     let response = Response::builder().header("content-type", "text/event-stream");
///     Ok::<_, ConnectError>(response.body(Full::new(Bytes::from("data: hello\n\n")))?)
/// };
/// let _source = EventSource::get("http://a.example/", connect, |_| std::future::ready(())).unwrap();
/// ```
pub trait Connect {
    /// The body of a response.
    type Body: Body<Error: Into<Box<dyn error::Error + Send + Sync>>>;
    /// Why there is no response. Every `std::error::Error` converts into [`ConnectError`].
    type Error: Into<ConnectError>;
    /// Resolves to the head of the response.
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>>;

    /// Sends `request`.
    fn connect(&mut self, request: Request<Bytes>) -> Self::Future;
}

impl<C, F, B, E> Connect for C
where
    C: FnMut(Request<Bytes>) -> F,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<Box<dyn error::Error + Send + Sync>>>,
    E: Into<ConnectError>,
{
    type Body = B;
    type Error = E;
    type Future = F;

    fn connect(&mut self, request: Request<Bytes>) -> F {
        self(request)
    }
}

/// A timer: every `FnMut(Duration) -> impl Future`, such as `tokio::time::sleep`,
/// `async_io::Timer::after` or `futures_timer::Delay::new`.
///
/// It must accept [`Duration::MAX`].
pub trait Sleep {
    /// Is ready when the time has elapsed.
    type Future: Future;

    /// Waits for `time`.
    fn sleep(&mut self, time: Duration) -> Self::Future;
}

impl<S, F> Sleep for S
where
    S: FnMut(Duration) -> F,
    F: Future,
{
    type Future = F;

    fn sleep(&mut self, time: Duration) -> F {
        self(time)
    }
}

/// The URL of a response after redirects: an extension of the response.
///
/// Every response head from an [`EventSource`](crate::EventSource) contains it. To get the origin
/// of the events, pass it to [`Origin::of`](sse_proto::Origin::of). An implementation of
/// [`Connect`] whose library has followed redirects must set it.
///
/// ```
/// use http::Response;
/// use sse_proto_stream::FinalUrl;
///
/// let mut response = Response::new(());
/// response.extensions_mut().insert(FinalUrl("https://b.example/".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalUrl(pub String);

/// Why a request has no response, and whether it is permanent: another attempt would fail too.
///
/// Every error converts into it by `?` or `into`. It is permanent if the certificate is not
/// trusted or the server does not support TLS, as far as the library reports that as an
/// [`io::Error`] (those on rustls do), or if the request is invalid. No other error
/// is permanent.
///
/// ```
/// use sse_proto_stream::ConnectError;
/// use std::io;
///
/// let refused = ConnectError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
/// assert!(!refused.is_permanent());
/// assert!(ConnectError::permanent("there is no such scheme").is_permanent());
/// ```
// Not a `std::error::Error`: that would conflict with the conversion from every other error.
pub struct ConnectError {
    source: Box<dyn error::Error + Send + Sync>,
    is_permanent: bool,
}

impl ConnectError {
    /// Creates an error after which another attempt may succeed.
    pub fn new(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_permanent: false,
        }
    }

    /// Creates an error after which no attempt will succeed.
    pub fn permanent(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_permanent: true,
        }
    }

    /// Returns whether another attempt would fail too.
    pub fn is_permanent(&self) -> bool {
        self.is_permanent
    }

    /// Returns the error that this one was created from.
    pub fn into_source(self) -> Box<dyn error::Error + Send + Sync> {
        self.source
    }
}

impl<E: error::Error + Send + Sync + 'static> From<E> for ConnectError {
    fn from(error: E) -> Self {
        let is_permanent = is_permanent(&error);
        Self {
            source: error.into(),
            is_permanent,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("source", &self.source)
            .field("is_permanent", &self.is_permanent)
            .finish()
    }
}

fn is_permanent(error: &(dyn error::Error + 'static)) -> bool {
    let mut causes = iter::successors(Some(error), |error| error.source());
    causes.any(|cause| is_tls_error(cause) || is_invalid_request(cause))
}

/// Whether the certificate is not trusted or the server does not support TLS. Libraries wrap the
/// error in several layers.
fn is_tls_error(error: &(dyn error::Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else {
        return false;
    };
    match error.get_ref() {
        Some(inner) => error.kind() == io::ErrorKind::InvalidData || is_tls_error(inner),
        None => false,
    }
}

/// Whether the library cannot send such a request.
fn is_invalid_request(error: &(dyn error::Error + 'static)) -> bool {
    #[cfg(feature = "reqwest-0_13")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return error.is_builder();
    }
    error.is::<http::Error>()
}
