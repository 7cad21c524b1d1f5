//! [`Connect`] for reqwest 0.13.

use std::{future::Future, pin::Pin};

use ::reqwest::{Body, Client, redirect::Policy};
use bytes::Bytes;
use http::{Request, Response};

use crate::{Connect, ConnectError, FinalUrl};

/// Connects with reqwest 0.13. (Feature `reqwest-0_13`.)
///
/// ```no_run
/// # use sse_proto_stream::{EventSource, Reqwest};
/// # fn sleep(_: std::time::Duration) -> std::future::Pending<()> { std::future::pending() }
/// let source = EventSource::get("https://a.example/events", Reqwest::new()?, sleep)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The features of reqwest select the TLS library; its default is `rustls`. Certificate errors are
/// [permanent](ConnectError::is_permanent).
#[derive(Debug, Clone)]
pub struct Reqwest {
    client: Client,
}

impl Reqwest {
    /// Creates a reqwest client that leaves redirects to [`EventSource`](crate::EventSource).
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::build`](::reqwest::ClientBuilder::build): for example if there is
    /// no TLS library, or the system has no root certificates, even if none are needed.
    pub fn new() -> Result<Self, ::reqwest::Error> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { client })
    }
}

/// Uses an existing reqwest client.
///
/// Build it with `redirect(Policy::none())`. A client that follows redirects itself sends the
/// caller's headers, such as an API key, to other origins (all but `Authorization` and cookies).
/// Do not set its `timeout`, which includes the body and so ends every stream after that time.
impl From<Client> for Reqwest {
    fn from(client: Client) -> Self {
        Self { client }
    }
}

impl Connect for Reqwest {
    type Body = Body;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, ConnectError>> + Send>>;

    fn connect(&mut self, request: Request<Bytes>) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move {
            let request = ::reqwest::Request::try_from(request).map_err(without_url)?;
            let url = request.url().clone();
            let response = client.execute(request).await.map_err(without_url)?;
            let final_url = (*response.url() != url).then(|| FinalUrl(response.url().to_string()));
            let mut response: Response<Body> = response.into();
            if let Some(final_url) = final_url {
                response.extensions_mut().insert(final_url);
            }
            Ok(response)
        })
    }
}

/// A URL may contain a secret, and errors end up in logs.
fn without_url(error: ::reqwest::Error) -> ::reqwest::Error {
    error.without_url()
}
