//! An event source on tokio: the connection machine says what to do, and here it is done.
//!
//! Begin reading at [`Client::run`].

use std::{
    collections::HashMap,
    fmt::Display,
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    time::Duration,
};

use crate::http::{self, Lost};
use reqwest::{Response, Url, header::HeaderMap};
use sse_proto::{Action, EventSource, Message, Origin, ReadyState, Reason, Signal};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

/// An event stream that is listened to: the machine, what it needs to talk HTTP, and who listens.
pub(crate) struct Client {
    source: EventSource<Url>,
    http: reqwest::Client,
    /// For the origin of the URL only: they may hold a secret.
    headers: HeaderMap,
    /// After so much silence a connection counts as lost.
    patience: Duration,
    listeners: Listeners,
    closed: watch::Sender<bool>,

    // What is under way is kept here and not in the future of `run`, which may be dropped.
    request: Option<PendingResponse>,
    response: Option<Response>,
    /// When to give up, or when a wait is over.
    deadline: Option<Instant>,
}

type PendingResponse = Pin<Box<dyn Future<Output = Result<Response, Lost>> + Send>>;

/// Closes a [`Client`] from anywhere: another task, a listener, a signal handler.
#[derive(Clone)]
pub(crate) struct Handle(watch::Sender<bool>);

impl Handle {
    /// Nothing more is heard, not even what has arrived already; the connection is dropped.
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }
}

impl Client {
    pub(crate) fn new(
        source: EventSource<Url>,
        headers: HeaderMap,
        patience: Duration,
    ) -> reqwest::Result<Self> {
        Ok(Self {
            source,
            http: http::client()?,
            headers,
            patience,
            listeners: Listeners::default(),
            closed: watch::Sender::new(false),
            request: None,
            response: None,
            deadline: None,
        })
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(self.closed.clone())
    }

    pub(crate) fn source(&self) -> &EventSource<Url> {
        &self.source
    }

    /// `onopen`: there is a connection, to this origin.
    pub(crate) fn on_open(&mut self, listener: impl FnMut(Origin<'_>) + Send + 'static) {
        self.listeners.on_open.push(Box::new(listener));
    }

    /// `onerror`: it is lost, for good if the state is `Closed`. Why, with details if any.
    pub(crate) fn on_error(
        &mut self,
        listener: impl FnMut(ReadyState, Reason, Option<&str>) + Send + 'static,
    ) {
        self.listeners.on_error.push(Box::new(listener));
    }

    /// An event of this type has come; that of an event without one is `message`.
    pub(crate) fn add_event_listener(
        &mut self,
        event_type: impl Into<String>,
        listener: impl FnMut(Message<'_>) + Send + 'static,
    ) {
        let listeners = self.listeners.by_type.entry(event_type.into()).or_default();
        listeners.push(Box::new(listener));
    }

    /// An event of any type has come: what a page cannot listen to.
    pub(crate) fn on_any(&mut self, listener: impl FnMut(Message<'_>) + Send + 'static) {
        self.listeners.on_any.push(Box::new(listener));
    }

    /// Something was left out, and all goes on.
    pub(crate) fn on_warning(&mut self, listener: impl FnMut(&dyn Display) + Send + 'static) {
        self.listeners.on_warning.push(Box::new(listener));
    }

    /// Tells the listeners what comes, until the stream is over for good: for this reason, or
    /// because it was closed.
    ///
    /// This is cancellation safe. Its future may be dropped at any time, as the losing branches of
    /// `tokio::select!` are: call it again, and it goes on where it was. Dropping the client drops
    /// the connection, and no task is left behind.
    pub(crate) async fn run(&mut self) -> Option<Reason> {
        let mut closed = self.closed.subscribe();
        loop {
            if let Action::Stop(reason) = self.source.action() {
                (self.request, self.response) = (None, None);
                return reason;
            }
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => self.source.close(),
                () = self.step() => {}
            }
        }
    }

    /// Does what the machine asks for until there is something to tell it.
    ///
    /// Cancellation safe: each arm has one await, during which `self` holds all that is under way,
    /// and what comes of it is told without another.
    async fn step(&mut self) {
        match self.source.action() {
            Action::Connect(request) => {
                let pending = self.request.get_or_insert_with(|| {
                    if request.last_event_id_left_out {
                        self.listeners
                            .warn(&"no header can carry the last event id");
                    }
                    let url = request.url.to_owned();
                    let headers = http::headers(&request);
                    let own = self.headers.clone();
                    Box::pin(http::fetch(self.http.clone(), url, own, headers))
                });
                let deadline = *(self.deadline).get_or_insert_with(|| after(self.patience));
                let result = time::timeout_at(deadline, pending).await;
                (self.request, self.deadline) = (None, None);
                match result {
                    Ok(Ok(response)) => self.opened(response),
                    Ok(Err(lost)) => self.lost(lost),
                    Err(_) => self.lost(Lost::network("no answer in time")),
                }
            }
            Action::Read(_) => {
                let deadline = *(self.deadline).get_or_insert_with(|| after(self.patience));
                let chunk = async {
                    match &mut self.response {
                        Some(response) => response.chunk().await,
                        None => Ok(None),
                    }
                };
                let result = time::timeout_at(deadline, chunk).await;
                self.deadline = None;
                match result {
                    Ok(Ok(Some(chunk))) => self.read(&chunk),
                    Ok(Ok(None)) => self.lost(Lost::end_of_body()),
                    Ok(Err(error)) => self.lost(error.into()),
                    Err(_) => self.lost(Lost::network("silent for too long")),
                }
            }
            Action::Wait(wait) => {
                self.response = None;
                let random = (RandomState::new().hash_one(()) >> 32) as u32;
                let deadline =
                    *(self.deadline).get_or_insert_with(|| after(wait.with_jitter(random)));
                time::sleep_until(deadline).await;
                self.deadline = None;
                self.source.handle_wait_elapsed();
            }
            Action::Stop(_) => {}
        }
    }

    fn opened(&mut self, response: Response) {
        let status = response.status().as_u16();
        let final_url = Some(response.url().clone());
        let signal = self
            .source
            .handle_response(status, final_url, response.headers());
        self.response = Some(response);
        self.announce(signal, None);
    }

    /// There is no await here: a chunk that was taken from the connection is handed out in whole.
    fn read(&mut self, chunk: &[u8]) {
        let mut messages = self.source.feed(chunk);
        loop {
            if *self.closed.borrow() {
                messages.close();
            }
            match messages.next_message() {
                Ok(Some(message)) => self.listeners.message(message),
                Ok(None) => break,
                Err(too_large) => self.listeners.warn(&too_large),
            }
        }
    }

    fn lost(&mut self, lost: Lost) {
        let signal = self.source.handle_disconnect(lost.cause);
        self.announce(signal, lost.detail);
    }

    fn announce(&mut self, signal: Option<Signal>, detail: Option<String>) {
        match signal {
            // It was closed at the same time, by another thread.
            _ if *self.closed.borrow() => {}
            Some(Signal::Open) => self.listeners.open(self.source.origin()),
            Some(Signal::Error {
                ready_state,
                reason,
            }) => {
                self.listeners.error(ready_state, reason, detail.as_deref());
            }
            None => {}
        }
    }
}

fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(1 << 32); // nothing overflows by that
    Instant::now() + time.min(FAR)
}

/// Who listens. A stream can name its events `open` and `error`: they are messages all the same.
#[derive(Default)]
struct Listeners {
    on_open: Vec<OpenListener>,
    on_error: Vec<ErrorListener>,
    by_type: HashMap<String, Vec<MessageListener>>,
    on_any: Vec<MessageListener>,
    on_warning: Vec<WarningListener>,
}

type OpenListener = Box<dyn FnMut(Origin<'_>) + Send>;
type ErrorListener = Box<dyn FnMut(ReadyState, Reason, Option<&str>) + Send>;
type MessageListener = Box<dyn FnMut(Message<'_>) + Send>;
type WarningListener = Box<dyn FnMut(&dyn Display) + Send>;

impl Listeners {
    fn open(&mut self, origin: Origin<'_>) {
        self.on_open.iter_mut().for_each(|tell| tell(origin));
    }

    fn error(&mut self, ready_state: ReadyState, reason: Reason, detail: Option<&str>) {
        let tell_all = self.on_error.iter_mut();
        tell_all.for_each(|tell| tell(ready_state, reason, detail));
    }

    fn message(&mut self, message: Message<'_>) {
        let of_type = self.by_type.get_mut(message.event_type);
        let listeners = of_type.into_iter().flatten().chain(&mut self.on_any);
        listeners.for_each(|tell| tell(message));
    }

    fn warn(&mut self, warning: &dyn Display) {
        self.on_warning.iter_mut().for_each(|tell| tell(warning));
    }
}
