//! What is under way, step by step: requests, redirects, refusals, bodies and waits.

use std::{
    error,
    future::Future,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header, response};
use http_body::Body;
use sse_proto::{Action, Disconnect, Reason, Signal};

use super::handle::{CLOSE, RECONNECT};
use super::refusal::{self, Refusal};
use super::silence::Silence;
use super::{
    Chunk, Connect, ConnectError, EventSource, FinalUrl, Handle, IDENTITY, Item, LAST_EVENT_ID,
    Lost, Machine, Phase, Received, Sleep, lost, redirect,
};
use crate::Error;
use crate::body::{BodyStream, is_compressed_event_stream};
use crate::decoded::{self, State};

impl<C, T, H> EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    #[inline(always)]
    pub(super) fn is_asked(&self) -> bool {
        self.handle.get().is_some_and(Handle::is_asked)
    }

    /// `said` is what the body has said already.
    #[inline(never)]
    pub(super) fn poll_slowly(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut said: Option<Said<C>>,
    ) -> Poll<Item> {
        loop {
            if self.is_asked() {
                self.as_mut().obey();
            }
            let item = self.as_mut().poll_phase(context, said.take());
            if let (Poll::Pending, Some(handle)) = (&item, self.handle.get()) {
                handle.register(context.waker());
                if handle.is_asked() {
                    continue;
                }
            }
            return item;
        }
    }

    /// Does what the handle asks for.
    fn obey(mut self: Pin<&mut Self>) {
        let asked = self.handle.get().map_or(0, Handle::take);
        if asked & CLOSE != 0 {
            self.as_mut().end();
        } else if asked & RECONNECT != 0 {
            if let Phase::Refused(_) = self.phase {
                // It is lost already, and that will be told.
                return;
            }
            let signal = self.as_mut().project().state.decoder.reconnect_now();
            if !matches!(self.phase, Phase::Request { .. } | Phase::Ended) {
                self.as_mut().drop_connection();
                *self.as_mut().project().phase = Phase::Begin;
            }
            if let Some(Signal::Error { reason, .. }) = signal {
                let lost = self.lost(reason, Some(Duration::ZERO), None, None);
                let state = self.project().state;
                state.queue.push_back(Ok(Received::Lost(lost)));
            }
        }
    }

    /// There is nothing more.
    fn end(mut self: Pin<&mut Self>) {
        self.as_mut().drop_connection();
        let this = self.project();
        this.state.decoder.close();
        this.state.queue.clear();
        *this.phase = Phase::Ended;
    }

    fn drop_connection(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.response.set(None);
        this.body.set(None);
        this.timer.set(None);
        this.state.rest = None;
    }

    fn poll_phase(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut said: Option<Said<C>>,
    ) -> Poll<Item> {
        loop {
            let mut this = self.as_mut().project();
            while let Some(item) = this.state.next_queued() {
                if let Some(item) = this.state.hand_out(item) {
                    return Poll::Ready(Some(item));
                }
            }
            if this.state.phase == decoded::Phase::Ended {
                // The end marker was handed out, so to say.
                self.as_mut().end();
                return Poll::Ready(None);
            }
            let item = match this.phase {
                Phase::Ended => return Poll::Ready(None),
                Phase::Begin => self.as_mut().begin(),
                Phase::Wait => {
                    if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                        ready!(timer.poll(context));
                    }
                    this.timer.set(None);
                    this.state.decoder.handle_wait_elapsed();
                    *this.phase = Phase::Begin;
                    continue;
                }
                Phase::Request { .. } => ready!(self.as_mut().poll_response(context)),
                Phase::Refused(_) => Some(ready!(self.as_mut().poll_refusal(context))),
                Phase::Read(_) => ready!(self.as_mut().poll_body(context, said.take())),
            };
            if let Some(item) = item {
                return Poll::Ready(item);
            }
        }
    }

    /// Begins the request that the machine asks for. `None`: it is under way.
    fn begin(mut self: Pin<&mut Self>) -> Option<Item> {
        let mut this = self.as_mut().project();
        let Action::Connect(asked) = this.state.decoder.action() else {
            // Waits begin when they are told, and bodies with their heads.
            *this.phase = Phase::Ended;
            return None;
        };
        let mut request = this.request.clone().unwrap_or_default();
        let url = match asked.url.parse::<Uri>() {
            Ok(url) => url,
            // It can only be one that the library has named.
            Err(error) => return Some(self.lose(Disconnect::Futile, Some(error.into()))),
        };
        *request.uri_mut() = url.clone();
        let given = this.state.decoder.url();
        let mut may_have_headers = asked.url == given || redirect::is_same_origin(asked.url, given);
        (this.prepare_request)(&mut request);
        if *request.uri() != url {
            // From now on it is the caller's. One that is no URL stays out.
            match this.state.decoder.set_url(request.uri().to_string()) {
                Ok(()) => may_have_headers = true,
                Err(_) => *request.uri_mut() = url,
            }
        }
        let Action::Connect(asked) = this.state.decoder.action() else {
            return None;
        };
        let headers = request.headers_mut();
        headers.remove(LAST_EVENT_ID);
        for (name, value) in asked.headers() {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                if name != header::ACCEPT || !headers.contains_key(&name) {
                    headers.insert(name, value);
                }
            }
        }
        headers.entry(header::ACCEPT_ENCODING).or_insert(IDENTITY);
        if !may_have_headers {
            redirect::forget_caller(&mut request);
        }
        this.timer
            .set(asked.timeout.map(|time| this.sleep.sleep(time)));
        this.response
            .set(Some(this.connect.connect((*request).clone())));
        *this.phase = Phase::Request {
            sent: request,
            redirects: 0,
        };
        None
    }

    /// `None`: it goes on.
    fn poll_response(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
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
                return Poll::Ready(Some(self.lose(Disconnect::Timeout, None)));
            }
        };
        this.response.set(None);
        Poll::Ready(match response {
            Err(error) => {
                let error: ConnectError = error.into();
                let cause = match error.is_futile() {
                    true => Disconnect::Futile,
                    false => Disconnect::Network,
                };
                Some(self.lose(cause, Some(error.into_source())))
            }
            Ok(response) => match redirect::location(&response) {
                Some(_) => self.follow(&response),
                None => self.answer(response),
            },
        })
    }

    fn follow(mut self: Pin<&mut Self>, response: &Response<C::Body>) -> Option<Item> {
        let mut this = self.as_mut().project();
        let Phase::Request { sent, redirects } = this.phase else {
            return None;
        };
        *redirects += 1;
        let location = redirect::location(response).unwrap_or_default();
        let url = redirect::resolve(sent.uri(), location);
        let next = match url {
            _ if *redirects > redirect::MAX_REDIRECTS => Err("too many redirects"),
            None => Err("a redirect to nowhere"),
            Some(url) if redirect::has_credentials(&url, sent.uri()) => {
                Err("a redirect to a URL with a password")
            }
            Some(url) => redirect::follow((**sent).clone(), response.status(), url)
                .ok_or("a redirect that takes the body of the request to another origin"),
        };
        match next {
            Err(why) => Some(self.lose(Disconnect::Futile, Some(why.into()))),
            Ok(next) => {
                let (status, url) = (response.status().as_u16(), next.uri().to_string());
                this.state.decoder.handle_redirect(status, url);
                **sent = next.clone();
                this.response.set(Some(this.connect.connect(next)));
                None
            }
        }
    }

    /// The head of the last response has come.
    fn answer(mut self: Pin<&mut Self>, response: Response<C::Body>) -> Option<Item> {
        if is_compressed_event_stream(&response) {
            // It was asked not to be. Undecoded it would be a stream without events.
            let why = "the response is compressed".into();
            return Some(self.lose(Disconnect::Futile, Some(why)));
        }
        let mut this = self.as_mut().project();
        let Phase::Request { sent, .. } = this.phase else {
            return None;
        };
        let (signal, head, body) =
            tell_response(&mut this.state.decoder, response, || sent.uri().to_string());
        this.body.set(Some(BodyStream::new(body)));
        this.timer.set(None);
        match signal {
            Some(Signal::Error { reason, .. }) => {
                this.timer.set(Some(this.sleep.sleep(refusal::PATIENCE)));
                *this.phase = Phase::Refused(Box::new(Refusal::new(head, reason)));
                None
            }
            _ => {
                *this.phase = Phase::Read(Silence::default());
                Some(Some(Ok(Received::Open(Box::new(head)))))
            }
        }
    }

    /// Reads what the refusal has to say, and tells it.
    fn poll_refusal(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Item> {
        let mut this = self.as_mut().project();
        let Phase::Refused(refusal) = this.phase else {
            return Poll::Pending;
        };
        let is_complete = loop {
            let chunk = match this.body.as_mut().as_pin_mut() {
                Some(body) => body.poll_next(context),
                None => Poll::Ready(None),
            };
            match chunk {
                Poll::Ready(Some(Ok(chunk))) if refusal.take(chunk.as_ref()) => {}
                Poll::Ready(end) => break end.is_none(),
                Poll::Pending => {
                    if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                        ready!(timer.poll(context));
                    }
                    break false;
                }
            }
        };
        let Phase::Refused(refusal) = mem::replace(this.phase, Phase::Begin) else {
            return Poll::Pending;
        };
        let (reason, response) = refusal.end();
        Poll::Ready(self.tell(reason, Some((response, is_complete)), None))
    }

    /// `None`: it goes on.
    fn poll_body(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        said: Option<Said<C>>,
    ) -> Poll<Option<Item>> {
        let mut this = self.as_mut().project();
        let (Phase::Read(silence), Some(body)) = (this.phase, this.body.as_mut().as_pin_mut())
        else {
            return Poll::Ready(Some(self.lose(Disconnect::EndOfBody, None)));
        };
        let said = match said {
            Some(said) => said,
            None => match read_on::<C>(this.state, silence, body, context) {
                Ok(item) => return Poll::Ready(item.map(Some)),
                Err(said) => said,
            },
        };
        Poll::Ready(Some(match said {
            Poll::Ready(None) => self.lose(Disconnect::EndOfBody, None),
            Poll::Ready(Some(error)) => self.lose(Disconnect::Network, Some(error.into())),
            Poll::Pending => {
                let machine = &mut this.state.decoder;
                ready!(silence.poll(machine, this.sleep, this.timer, context));
                self.lose(Disconnect::Timeout, None)
            }
        }))
    }

    #[cold]
    #[inline(never)]
    fn lose(
        mut self: Pin<&mut Self>,
        cause: Disconnect,
        source: Option<Box<dyn error::Error + Send + Sync>>,
    ) -> Item {
        let signal = self
            .as_mut()
            .project()
            .state
            .decoder
            .handle_disconnect(cause);
        match signal {
            Some(Signal::Error { reason, .. }) => self.tell(reason, None, source),
            _ => {
                self.end();
                None
            }
        }
    }

    /// The connection is lost: drops it, begins to wait if there is another attempt, and says so.
    fn tell(
        mut self: Pin<&mut Self>,
        reason: Reason,
        response: Option<(Response<Bytes>, bool)>,
        source: Option<Box<dyn error::Error + Send + Sync>>,
    ) -> Item {
        self.as_mut().drop_connection();
        let mut this = self.as_mut().project();
        let wait = match this.state.decoder.action() {
            Action::Wait(wait) => Some(wait.with_jitter(random())),
            _ => None,
        };
        *this.phase = match wait {
            Some(_) => Phase::Wait,
            None => Phase::Ended,
        };
        this.timer.set(wait.map(|wait| this.sleep.sleep(wait)));
        let lost = self.lost(reason, wait, response, source);
        Some(match wait {
            Some(_) => Ok(Received::Lost(lost)),
            None => Err(Error::Source(lost)),
        })
    }

    fn lost(
        &self,
        reason: Reason,
        wait: Option<Duration>,
        response: Option<(Response<Bytes>, bool)>,
        source: Option<Box<dyn error::Error + Send + Sync>>,
    ) -> Lost {
        let (response, is_response_complete) = response.unzip();
        Lost::new(lost::Parts {
            reason,
            wait,
            failures: self.failures(),
            response,
            is_response_complete: is_response_complete.unwrap_or(false),
            source,
        })
    }
}

/// What a body says when it has no bytes: none yet, none any more, or why there are none.
pub(super) type Said<C> = Poll<Option<<<C as Connect>::Body as Body>::Error>>;

/// Reads the body until there is an item. `None`: it was the end marker. `Err`: the body has no
/// bytes, and says this.
#[inline(always)]
pub(super) fn read_on<C: Connect>(
    state: &mut State<Machine, Chunk<C>, Received>,
    silence: &mut Silence,
    mut body: Pin<&mut BodyStream<C::Body>>,
    context: &mut Context<'_>,
) -> Result<Item, Said<C>> {
    loop {
        state.catch_up();
        let (chunk, start) = match state.rest.take() {
            Some(rest) => rest,
            None => match body.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    silence.breaks(chunk.as_ref());
                    (chunk, 0)
                }
                Poll::Ready(Some(Err(error))) => return Err(Poll::Ready(Some(error))),
                Poll::Ready(None) => return Err(Poll::Ready(None)),
                Poll::Pending => return Err(Poll::Pending),
            },
        };
        if let Some(item) = state.decode(chunk, start) {
            return Ok(state.hand_out(item));
        }
    }
}

/// Tells the machine of a response. Its head says from now on where it comes from: from `url`, unless
/// it says so already.
pub(super) fn tell_response<B>(
    machine: &mut Machine,
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

/// For waits that differ: each `RandomState` has keys of its own.
fn random() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}
