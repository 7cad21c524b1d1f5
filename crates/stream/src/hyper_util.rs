//! [`Connect`] for the client of hyper-util 0.1.

use ::hyper_util::client::legacy::{Client, Error, ResponseFuture, connect};
use bytes::Bytes;
use http::Request;
use http_body::Body;

use crate::Connect;

/// Connects with the client of hyper-util 0.1 and any connector, such as that of hyper-rustls for
/// TLS. (Feature `hyper-util-0_1`.)
///
/// ```no_run
/// # use http_body_util::Full;
/// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// # use sse_proto_stream::{EventSource, HyperUtil};
/// # fn sleep(_: std::time::Duration) -> std::future::Pending<()> { std::future::pending() }
/// let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
/// let source = EventSource::get("http://a.example/events", HyperUtil::from(client), sleep)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct HyperUtil<C, B> {
    client: Client<C, B>,
}

impl<C, B> From<Client<C, B>> for HyperUtil<C, B> {
    fn from(client: Client<C, B>) -> Self {
        Self { client }
    }
}

impl<C, B> Connect for HyperUtil<C, B>
where
    C: connect::Connect + Clone + Send + Sync + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + From<Bytes>
        + Send
        + Unpin
        + 'static,
{
    type Body = hyper::body::Incoming;
    type Error = Error;
    type Future = ResponseFuture;

    fn connect(&mut self, request: Request<Bytes>) -> ResponseFuture {
        self.client.request(request.map(B::from))
    }
}
