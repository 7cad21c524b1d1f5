//! The part of a browser between an event source and the network: cookies, the `Origin` header, and
//! the refusal of responses that the page may not read.
//!
//! Implements as much of Fetch as the tests need. Redirects are left to the caller.

use std::{iter, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use reqwest::{
    Client, Response,
    cookie::{CookieStore as _, Jar},
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use sse_proto::Credentials;

pub(crate) struct Browser {
    client: Client,
    cookies: Jar,
}

/// The page that listens, and whether it sends cookies to other origins.
pub(crate) struct Page {
    pub(crate) origin: String,
    pub(crate) credentials: Credentials,
}

pub(crate) enum Failure {
    Network,
    /// Another attempt would fail in the same way.
    Permanent,
}

impl Browser {
    pub(crate) fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .dns_resolver(Arc::new(Loopback))
            .no_proxy()
            .no_gzip()
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            cookies: Jar::default(),
        })
    }

    /// Sends one request without following redirects.
    pub(crate) async fn send(
        &self,
        page: &Page,
        request: Request<Bytes>,
    ) -> Result<Response, Failure> {
        let mut request = reqwest::Request::try_from(request).map_err(|_| Failure::Network)?;
        let url = request.url().clone();
        let crosses = url.origin().ascii_serialization() != page.origin;
        let shows_cookies = !crosses || page.credentials == Credentials::Include;

        let cookies = shows_cookies.then(|| self.cookies.cookies(&url)).flatten();
        let headers = request.headers_mut();
        headers.extend(cookies.map(|cookies| (header::COOKIE, cookies)));
        if crosses {
            let origin = page.origin.parse().map_err(|_| Failure::Permanent)?;
            headers.insert(header::ORIGIN, origin);
        }

        let response = self.client.execute(request).await;
        let response = response.map_err(|_| Failure::Network)?;
        if shows_cookies {
            let mut cookies = response.headers().get_all(header::SET_COOKIE).iter();
            self.cookies.set_cookies(&mut cookies, &url);
        }
        if crosses && !page.may_read(response.headers()) {
            return Err(Failure::Permanent);
        }
        Ok(response)
    }
}

impl Page {
    /// The "CORS check" of Fetch.
    fn may_read(&self, headers: &HeaderMap) -> bool {
        let value = |name| headers.get(name).map(|value| value.as_bytes());
        let allowed = value(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        let is_allowed = allowed == Some(self.origin.as_bytes());
        match self.credentials {
            Credentials::Include => {
                is_allowed && value(header::ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some(b"true")
            }
            _ => is_allowed || allowed == Some(b"*"),
        }
    }
}

/// Resolves every name to this machine, since the tests use several hosts.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
        Box::pin(async { Ok(addresses) })
    }
}
