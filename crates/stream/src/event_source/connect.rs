//! What an event source asks of others: an HTTP library and a timer.

use std::{error, fmt, future::Future, io, iter, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

/// Sends a request and resolves to the head of its response: any HTTP library.
///
/// Every `FnMut(http::Request<Bytes>) -> impl Future<Output = Result<http::Response<B>, E>>` is
/// one, for any body of `http-body` 1. The features `reqwest-0_13` and `hyper-util-0_1` have types
/// for these libraries.
///
/// It must not follow redirects: [`EventSource`](crate::EventSource) does, and keeps the user's
/// headers from other origins. A library that cannot help following them tells the [`FinalUrl`].
///
/// It is asked for each request, also for those that redirects lead to. To give all attempts a new
/// header, see [`EventSource::prepare_request`](crate::EventSource::prepare_request).
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
    /// The body of a response, with an error that can be told.
    type Body: Body<Error: Into<Box<dyn error::Error + Send + Sync>>>;
    /// Why there is no response. Anything that implements `std::error::Error` will do.
    type Error: Into<ConnectError>;
    /// The response to come.
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>>;

    /// Begins to send `request`.
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

/// A timer: every `FnMut(Duration) -> impl Future`, so `tokio::time::sleep`,
/// `async_io::Timer::after` and `futures_timer::Delay::new` as they are.
///
/// It must bear [`Duration::MAX`].
pub trait Sleep {
    /// Is ready after the time.
    type Future: Future;

    /// Begins to wait for `time`.
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

/// An extension of a response: the URL that it comes from, redirects followed.
///
/// It is in every head that an [`EventSource`](crate::EventSource) hands out:
/// [`Origin::of`](sse_proto::Origin::of) it is the origin of the events. A [`Connect`] whose
/// library followed redirects by itself has to set it.
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

/// Why a request has no response, and whether another attempt would be futile.
///
/// It is made of any error by `?` or `into`. One that comes of a certificate that is not trusted,
/// or of a server that speaks no TLS at all, is futile, as far as the library has an [`io::Error`]
/// for it, which those on rustls have; all others are not.
///
/// ```
/// use sse_proto_stream::ConnectError;
/// use std::io;
///
/// let refused = ConnectError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
/// assert!(!refused.is_futile());
/// assert!(ConnectError::futile("there is no such scheme").is_futile());
/// ```
// It is no `std::error::Error` itself: then it could not be made of any other.
pub struct ConnectError {
    source: Box<dyn error::Error + Send + Sync>,
    is_futile: bool,
}

impl ConnectError {
    /// Another attempt may go better.
    pub fn new(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_futile: false,
        }
    }

    /// No attempt will go better.
    pub fn futile(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            is_futile: true,
        }
    }

    /// Whether another attempt would be futile.
    pub fn is_futile(&self) -> bool {
        self.is_futile
    }

    /// The error it was made of.
    pub fn into_source(self) -> Box<dyn error::Error + Send + Sync> {
        self.source
    }
}

impl<E: error::Error + Send + Sync + 'static> From<E> for ConnectError {
    fn from(error: E) -> Self {
        let is_futile = is_futile(&error);
        Self {
            source: error.into(),
            is_futile,
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
            .field("is_futile", &self.is_futile)
            .finish()
    }
}

fn is_futile(error: &(dyn error::Error + 'static)) -> bool {
    let mut causes = iter::successors(Some(error), |error| error.source());
    causes.any(|cause| is_no_tls(cause) || is_no_request(cause))
}

/// Whether it is a certificate that is not trusted, or no TLS at all. Each layer has its wrapping.
fn is_no_tls(error: &(dyn error::Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else {
        return false;
    };
    match error.get_ref() {
        Some(inner) => error.kind() == io::ErrorKind::InvalidData || is_no_tls(inner),
        None => false,
    }
}

/// Whether the library says that it cannot send such a request.
fn is_no_request(error: &(dyn error::Error + 'static)) -> bool {
    #[cfg(feature = "reqwest-0_13")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return error.is_builder();
    }
    error.is::<http::Error>()
}
