//! A network for tests of clients.

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use sse_proto_stream::{Connect, ConnectError};

use super::Result;

/// A network with prepared responses, which records the requests.
#[derive(Clone)]
pub(crate) struct Network {
    responses: Arc<Mutex<VecDeque<Response<Full<Bytes>>>>>,
    pub(crate) requests: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Network {
    pub(crate) fn new(responses: impl IntoIterator<Item = Response<Full<Bytes>>>) -> Self {
        let responses = responses.into_iter().collect();
        Self {
            responses: Arc::new(Mutex::new(responses)),
            requests: Arc::default(),
        }
    }

    /// The number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The value of a header in each request.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let value = |request: &Request<Bytes>| match request.headers().get(name) {
            Some(value) => value.to_str().unwrap().to_owned(),
            None => String::new(),
        };
        requests.iter().map(value).collect()
    }
}

/// Responds with status 204 when there are no more responses.
impl Connect for Network {
    type Body = Full<Bytes>;
    type Error = ConnectError;
    type Future = Ready<Result<Response<Full<Bytes>>, ConnectError>>;

    fn connect(&mut self, request: Request<Bytes>) -> Self::Future {
        self.requests.lock().unwrap().push(request);
        let response = self.responses.lock().unwrap().pop_front();
        ready(Ok(response.unwrap_or_else(|| {
            let mut response = response_with("", "");
            *response.status_mut() = http::StatusCode::NO_CONTENT;
            response
        })))
    }
}

pub(crate) fn response_with(
    content_type: &'static str,
    body: &'static str,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    if !content_type.is_empty() {
        let value = HeaderValue::from_static(content_type);
        response.headers_mut().insert("content-type", value);
    }
    response
}

pub(crate) fn events(body: &'static str) -> Response<Full<Bytes>> {
    response_with("text/event-stream", body)
}

pub(crate) fn refusal(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = response_with("application/json", body);
    *response.status_mut() = status.try_into().unwrap();
    response
}
