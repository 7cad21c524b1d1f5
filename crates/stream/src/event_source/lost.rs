//! The loss of a connection.

use std::{error, fmt, time::Duration};

use bytes::Bytes;
use http::Response;
use sse_proto::Reason;

/// A connection was lost or could not be established: the standard's `error` event.
///
/// ```
/// use futures_util::StreamExt as _;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use sse_proto::Reason;
/// use sse_proto_stream::{ConnectError, Error, EventSource};
///
/// # futures_executor::block_on(async {
/// let connect = async |_: Request<bytes::Bytes>| {
///     let response = Response::builder().status(401);
///     Ok::<_, ConnectError>(response.body(Full::new(&b"{\"error\":\"who are you?\"}"[..]))?)
/// };
/// let source = EventSource::get("http://a.example/", connect, |_| std::future::ready(())).unwrap();
/// let mut source = std::pin::pin!(source);
/// let Some(Err(Error::Source(lost))) = source.next().await else { panic!() };
/// assert_eq!((lost.reason(), lost.delay()), (Reason::Status(401), None));
/// let response = lost.response().unwrap();
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// assert_eq!(response.body(), "{\"error\":\"who are you?\"}");
/// # });
/// ```
pub struct Lost(Box<Parts>);

pub(crate) struct Parts {
    pub(crate) reason: Reason,
    pub(crate) delay: Option<Duration>,
    pub(crate) failures: u32,
    pub(crate) response: Option<Response<Bytes>>,
    pub(crate) is_response_complete: bool,
    pub(crate) source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Lost {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Box::new(parts))
    }

    /// Returns why the connection was lost.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Returns the time until the next attempt; `None` if there will be none.
    pub fn delay(&self) -> Option<Duration> {
        self.0.delay
    }

    /// Returns the number of attempts that have failed in a row, including this one: see
    /// [`sse_proto::EventSource::failures`].
    pub fn failures(&self) -> u32 {
        self.0.failures
    }

    /// Returns the response, if it was not an event stream, with its status and headers and up to
    /// 64 KiB of its body: usually the error message of an API.
    ///
    /// The client waits up to 5 seconds for the body;
    /// [`is_response_complete`](Self::is_response_complete) returns whether all of it was received.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        self.0.response.as_ref()
    }

    /// Returns whether the whole body of [`response`](Self::response) was received: within both
    /// limits, and without a network error.
    pub fn is_response_complete(&self) -> bool {
        self.0.is_response_complete
    }

    /// Returns the [`response`](Self::response) by value.
    pub fn into_response(self) -> Option<Response<Bytes>> {
        self.0.response
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.reason.fmt(f)?;
        if let Some(delay) = self.0.delay {
            write!(f, ", next attempt in {delay:.1?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lost")
            .field("reason", &self.0.reason)
            .field("delay", &self.0.delay)
            .field("failures", &self.0.failures)
            .field("response", &self.0.response)
            .field("source", &self.0.source)
            .finish()
    }
}

/// The source is the error of the HTTP library, if there was one.
impl error::Error for Lost {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
