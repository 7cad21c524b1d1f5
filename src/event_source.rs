//! The connection machine: what an `EventSource` does between one request and the next.
//!
//! It knows nothing of sockets, clocks and threads. A driver asks [`EventSource::action`] what to
//! do and reports what happened. All inputs are applied by [`transition`](state::transition), which
//! defines the life cycle of a connection. Invariant: only inputs change the state, queries never
//! do.

// Modules with methods of `EventSource`, in the order in which rustdoc shows them.
mod builder;

mod action;
mod inputs;

mod control;
mod queries;

mod location;
mod messages;
mod mime;
mod origin;
mod request;
mod retry;
mod signal;
mod state;

use crate::{Decoder, Heap, Storage};
use core::time::Duration;
use location::Location;
use state::{Input, Outcome, State, transition};

pub use action::{Action, ReadTimeouts};
pub use location::ReconnectTo;
pub use messages::{Message, Messages, StreamItem};
pub use mime::is_event_stream;
pub use origin::{InvalidUrl, Origin};
pub use request::{Credentials, Request};
pub use retry::{RetryPolicy, Wait};
pub use signal::{Disconnect, ReadyState, Reason, Signal};

/// The standard's `EventSource` without I/O: one event stream over many connections.
///
/// It has no socket, no clock and no thread. A *driver* asks [`action`](EventSource::action) what
/// to do now, does it with whatever it has, and reports the outcome:
///
/// | [`Action`] | the driver | then calls |
/// |---|---|---|
/// | `Connect` | sends the request | [`handle_response`] or [`handle_disconnect`] |
/// | `Read(_)` | reads the body | [`feed`], at the end [`handle_disconnect`] |
/// | `Wait` | waits | [`handle_wait_elapsed`] |
/// | `Stop` | drops the connection and exits | |
///
/// These calls return what a page would receive, in the standard's order: a [`Signal`] (`open`,
/// `error`) when the state has changed, and a [`Message`] for each event.
/// [`close`](EventSource::close) may be called at any time. An input that does not fit the state,
/// such as a response that arrives after `close`, has no effect.
///
/// The loop, on any runtime:
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource, Signal};
/// # use sse_proto::Request;
/// # use std::time::Duration;
/// # struct Response {
/// #     status: u16, url: String, headers: Vec<(String, String)>, body: Vec<&'static str>,
/// # }
/// # let mut responses = vec![
/// #     Ok((200, vec!["retry: 250\n\nid: 1\ndata: o", "ne\n\n"])), Err(()),
/// #     Ok((200, vec!["data: two\n\n"])), Ok((204, vec![]))].into_iter();
/// # let mut requests = vec![];
/// # let mut send = |request: Request<'_>| {
/// #     requests.push(request.last_event_id.map(str::to_owned));
/// #     responses.next().unwrap().map(|(status, body)| Response {
/// #         status,
/// #         body: body.into_iter().rev().collect(),
/// #         url: "http://a.example/stream".to_owned(),
/// #         headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
/// #     })
/// # };
/// # let mut slept = vec![];
/// # let mut sleep = |time: Duration| slept.push(time.as_millis());
/// # let random = || 0;
/// # let mut log = vec![];
///
/// let mut source = EventSource::new("http://a.example/stream".to_owned())?;
/// let mut body = vec![];
/// loop {
///     let signal = match source.action() {
///         Action::Connect(request) => match send(request) {
///             Ok(response) => {
///                 body = response.body;
///                 source.handle_response(response.status, Some(response.url), response.headers)
///             }
///             Err(_) => source.handle_disconnect(Disconnect::Network),
///         },
///         Action::Read(_) => match body.pop() {
///             Some(chunk) => {
///                 let mut messages = source.feed(chunk.as_bytes());
///                 loop {
///                     match messages.next_message() {
///                         Ok(Some(message)) => log.push(message.data.to_owned()),
///                         Ok(None) => break None,
///                         Err(too_large) => log.push(too_large.to_string()),
///                     }
///                 }
///             }
///             None => source.handle_disconnect(Disconnect::EndOfBody),
///         },
///         Action::Wait(wait) => {
///             sleep(wait.with_jitter(random()));
///             source.handle_wait_elapsed();
///             None
///         }
///         Action::Stop(_reason) => break,
///     };
///     match signal {
///         Some(Signal::Open) => log.push("(open)".to_owned()),
///         Some(Signal::Error { ready_state, reason }) => {
///             log.push(format!("({reason}, {ready_state:?})"));
///         }
///         None => {}
///     }
/// }
/// # assert_eq!(log, ["(open)", "one", "(the body ended, Connecting)",
/// #     "(network error, Connecting)",
/// #     "(open)", "two", "(the body ended, Connecting)", "(status 204, Closed)"]);
/// # let id = || Some("1".to_owned());
/// # assert_eq!(requests, [None, id(), id(), id()]);
/// # assert_eq!(slept, [250, 250, 250]);
/// # }
/// # Ok::<(), sse_proto::InvalidUrl>(())
/// ```
///
/// `U` is the type in which the driver stores URLs: `String`, `&'static str`, `Arc<str>`,
/// `url::Url`. It must return the same text each time. The final URL of a response has the same
/// type and is stored while the origin of its messages is needed, so there is no allocation and no
/// length limit here. `S` is the storage of the [`Decoder`].
///
/// [`handle_response`]: EventSource::handle_response
/// [`handle_disconnect`]: EventSource::handle_disconnect
/// [`handle_wait_elapsed`]: EventSource::handle_wait_elapsed
/// [`feed`]: EventSource::feed
#[derive(Debug, Clone)]
pub struct EventSource<U, S = Heap> {
    location: Location<U>,
    state: State,
    /// Consecutive failures.
    failures: u32,
    decoder: Decoder<S>,
    credentials: Credentials,
    retry_policy: RetryPolicy,
    response_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    max_last_event_id_len: usize,
    cache_control: bool,
}

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// The next request, or the pending one.
    fn request(&self) -> Request<'_> {
        Request {
            timeout: self.response_timeout,
            cache_control: self.cache_control,
            ..Request::new(
                self.location.request_url().as_ref(),
                self.credentials,
                self.decoder.last_event_id(),
                self.max_last_event_id_len,
            )
        }
    }
}

impl<U, S> EventSource<U, S> {
    /// Changes the state, counts failures, and returns the signal to emit.
    fn apply(&mut self, input: Input) -> Option<Signal> {
        let (state, signal) = transition(self.state, input);
        // An end that was expected or requested is not a failure.
        let was_expected = match input {
            Input::Ended(Outcome::Reestablish(..)) => self.state.is_end_expected(),
            Input::Reconnect => true,
            _ => false,
        };
        if matches!(signal, Some(Signal::Error { .. })) && !was_expected {
            self.failures = self.failures.saturating_add(1);
        }
        self.state = state;
        signal
    }
}
