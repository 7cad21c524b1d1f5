//! From the request, through redirects, to the head of the last response.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header, response};
use sse_proto::{Action, Disconnect, Signal};

use super::read_timer::ReadTimer;
use super::rejected::{self, RejectedResponse};
use super::{
    Connect, ConnectError, EventSource, FinalUrl, IDENTITY, Item, LAST_EVENT_ID, Phase, Received,
    Sleep, StateMachine, redirect,
};
use crate::body::{BodyStream, is_compressed_event_stream};

impl<C, T, H> EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    /// Sends the request that the state machine asks for. `None` if it is being sent.
    pub(super) fn start_request(mut self: Pin<&mut Self>) -> Option<Item> {
        let mut this = self.as_mut().project();
        let machine = &mut this.batches.decoder;
        let Action::Connect(attempt) = machine.action() else {
            // `report_loss` starts waits, and `handle_head` starts reading.
            *this.phase = Phase::Closed;
            return None;
        };
        let mut request = this.request.clone().unwrap_or_default();
        let url = match attempt.url.parse::<Uri>() {
            Ok(url) => url,
            // The caller's URL was checked, so this is a `FinalUrl` of the HTTP library.
            Err(error) => return Some(self.disconnect(Disconnect::Permanent, Some(error.into()))),
        };
        *request.uri_mut() = url.clone();
        let original_url = machine.url();
        let mut may_have_headers =
            attempt.url == original_url || redirect::is_same_origin(attempt.url, original_url);
        (this.prepare_request)(&mut request);
        if *request.uri() != url {
            // This becomes the original URL, unless it is not an absolute one.
            match machine.set_url(request.uri().to_string()) {
                Ok(()) => may_have_headers = true,
                Err(_) => *request.uri_mut() = url,
            }
        }
        let Action::Connect(attempt) = machine.action() else {
            return None;
        };
        let headers = request.headers_mut();
        headers.remove(LAST_EVENT_ID);
        for (name, value) in attempt.headers() {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                if name != header::ACCEPT || !headers.contains_key(&name) {
                    headers.insert(name, value);
                }
            }
        }
        headers.entry(header::ACCEPT_ENCODING).or_insert(IDENTITY);
        if !may_have_headers {
            redirect::remove_caller_headers(&mut request);
        }
        this.timer
            .set(attempt.timeout.map(|time| this.sleep.sleep(time)));
        this.response
            .set(Some(this.connect.connect((*request).clone())));
        *this.phase = Phase::Connecting {
            request,
            redirects: 0,
        };
        None
    }

    /// Ready with `None` if there is no item to return yet.
    pub(super) fn poll_response(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Item>> {
        let mut this = self.as_mut().project();
        let Some(response) = this.response.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let response = match response.poll(context) {
            Poll::Ready(response) => response,
            Poll::Pending => {
                let Some(timer) = this.timer.as_mut().as_pin_mut() else {
                    return Poll::Pending;
                };
                ready!(timer.poll(context));
                return Poll::Ready(Some(self.disconnect(Disconnect::Timeout, None)));
            }
        };
        this.response.set(None);
        Poll::Ready(match response {
            Err(error) => {
                let error: ConnectError = error.into();
                let cause = match error.is_permanent() {
                    true => Disconnect::Permanent,
                    false => Disconnect::Network,
                };
                Some(self.disconnect(cause, Some(error.into_source())))
            }
            Ok(response) => match redirect::location(&response) {
                Some(_) => self.follow_redirect(&response),
                None => self.handle_head(response),
            },
        })
    }

    fn follow_redirect(mut self: Pin<&mut Self>, response: &Response<C::Body>) -> Option<Item> {
        let mut this = self.as_mut().project();
        let Phase::Connecting { request, redirects } = this.phase else {
            return None;
        };
        *redirects += 1;
        let location = redirect::location(response).unwrap_or_default();
        let url = redirect::resolve(request.uri(), location);
        let next = match url {
            _ if *redirects > redirect::MAX_REDIRECTS => Err("too many redirects"),
            None => Err("redirect to an invalid or non-HTTP URL"),
            Some(url) if redirect::has_credentials(&url, request.uri()) => {
                Err("redirect to a URL with credentials and another origin")
            }
            Some(url) => redirect::follow((**request).clone(), response.status(), url)
                .ok_or("redirect that would send the request body to another origin"),
        };
        match next {
            Err(why) => Some(self.disconnect(Disconnect::Permanent, Some(why.into()))),
            Ok(next) => {
                let (status, url) = (response.status().as_u16(), next.uri().to_string());
                this.batches.decoder.handle_redirect(status, url);
                **request = next.clone();
                this.response.set(Some(this.connect.connect(next)));
                None
            }
        }
    }

    /// Handles the head of a response that is not a redirect.
    fn handle_head(mut self: Pin<&mut Self>, response: Response<C::Body>) -> Option<Item> {
        if is_compressed_event_stream(&response) {
            // Although the request did not allow it. Read as it is, it would contain no events.
            let why = "the response is compressed".into();
            return Some(self.disconnect(Disconnect::Permanent, Some(why)));
        }
        let mut this = self.as_mut().project();
        let Phase::Connecting { request, .. } = this.phase else {
            return None;
        };
        let (signal, head, body) = accept_response(&mut this.batches.decoder, response, || {
            request.uri().to_string()
        });
        this.body.set(Some(BodyStream::new(body)));
        this.timer.set(None);
        match signal {
            Some(Signal::Error { reason, .. }) => {
                this.timer
                    .set(Some(this.sleep.sleep(rejected::BODY_TIMEOUT)));
                *this.phase = Phase::Rejected(Box::new(RejectedResponse::new(head, reason)));
                None
            }
            _ => {
                *this.phase = Phase::Reading(ReadTimer::default());
                Some(Some(Ok(Received::Open(Box::new(head)))))
            }
        }
    }
}

/// Passes the head of a response to the state machine. Adds a [`FinalUrl`], which is `url()`, to
/// the head unless the HTTP library has set one.
pub(super) fn accept_response<B>(
    machine: &mut StateMachine,
    response: Response<B>,
    url: impl FnOnce() -> String,
) -> (Option<Signal>, response::Parts, B) {
    let (mut head, body) = response.into_parts();
    let final_url = head.extensions.get::<FinalUrl>();
    let final_url = final_url.map(|url| url.0.clone());
    let signal = machine.handle_response(head.status.as_u16(), final_url, &head.headers);
    head.extensions.get_or_insert_with(|| FinalUrl(url()));
    (signal, head, body)
}
