//! `tokio-client` listens to an event stream as a page does with `EventSource`, on tokio and reqwest.
//!
//! ```text
//! $ cargo run --example live-server                                   # something to listen to
//! $ cargo run --example tokio-client http://127.0.0.1:3000/events
//! $ cargo run --example tokio-client http://127.0.0.1:3000/events --listen note --close-after 3
//! ```
//!
//! [`Client`] is made to be taken from here: listeners by event type, `onopen` and `onerror`,
//! `close()` from anywhere. Begin reading at [`Client::run`]; the rest is arguments and print.

use std::{
    collections::HashMap,
    error::Error,
    fmt::Display,
    hash::{BuildHasher as _, RandomState},
    io::{self, ErrorKind, Write as _},
    iter,
    num::NonZero,
    pin::Pin,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use reqwest::{
    Response, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde::Serialize;
use sse_proto::{
    Action, Disconnect, EventSource, Message, Origin, ReadyState, Reason, Request, RetryPolicy,
    Signal,
};
use tokio::{
    signal,
    sync::watch,
    time::{self, Instant},
};

/// An event stream that is listened to: the machine, what it needs to talk HTTP, and who listens.
struct Client {
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
struct Handle(watch::Sender<bool>);

impl Handle {
    /// Nothing more is heard, not even what has arrived already; the connection is dropped.
    fn close(&self) {
        self.0.send_replace(true);
    }
}

impl Client {
    fn new(
        source: EventSource<Url>,
        headers: HeaderMap,
        patience: Duration,
    ) -> reqwest::Result<Self> {
        // They are followed in `fetch`.
        let http = reqwest::Client::builder().redirect(redirect::Policy::none());
        Ok(Self {
            source,
            http: http.build()?,
            headers,
            patience,
            listeners: Listeners::default(),
            closed: watch::Sender::new(false),
            request: None,
            response: None,
            deadline: None,
        })
    }

    fn handle(&self) -> Handle {
        Handle(self.closed.clone())
    }

    /// Tells the listeners what comes, until the stream is over for good: for this reason, or
    /// because it was closed.
    ///
    /// This is cancellation safe. Its future may be dropped at any time, as the losing branches of
    /// `tokio::select!` are: call it again, and it goes on where it was. Dropping the client drops
    /// the connection, and no task is left behind.
    async fn run(&mut self) -> Option<Reason> {
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
    /// Cancellation safe: each arm has one await, in which `self` holds all that is under way;
    /// and what comes out of it is told without another.
    async fn step(&mut self) {
        match self.source.action() {
            Action::Connect(request) => {
                let pending = self.request.get_or_insert_with(|| {
                    if request.last_event_id_left_out {
                        self.listeners
                            .warn(&"no header can carry the last event id");
                    }
                    let url = request.url.to_owned();
                    let headers = headers(&request);
                    Box::pin(fetch(self.http.clone(), url, self.headers.clone(), headers))
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
            Action::Read => {
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
                    Ok(Ok(None)) => self.lost(Lost {
                        cause: Disconnect::EndOfBody,
                        detail: None,
                    }),
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
        let encoding = response.headers().get(header::CONTENT_ENCODING);
        if response.status() == 200 && encoding.is_some_and(|encoding| encoding != "identity") {
            return self.lost(Lost::futile("the response is compressed"));
        }
        let status = response.status().as_u16();
        let final_url = Some(response.url().clone());
        let signal = self
            .source
            .handle_response(status, final_url, response.headers());
        self.response = Some(response);
        self.announce(signal, None);
    }

    /// No await here: of a chunk that was taken from the connection each message is handed out.
    fn read(&mut self, chunk: &[u8]) {
        let mut messages = self.source.feed(chunk);
        loop {
            if *self.closed.borrow() {
                messages.close();
            }
            match messages.next_message() {
                Ok(Some(message)) => self.listeners.message(&message),
                Ok(None) => break,
                Err(too_large) => self.listeners.warn(&too_large),
            }
        }
    }

    fn lost(&mut self, lost: Lost) {
        let signal = self.source.handle_disconnect(lost.cause);
        self.announce(signal, lost.detail);
    }

    /// How things stand, in words.
    fn status(&self) -> String {
        let (state, id) = (self.source.ready_state(), self.source.last_event_id());
        format!("{state:?}, last event id {id:?}")
    }

    fn announce(&mut self, signal: Option<Signal>, detail: Option<String>) {
        match signal {
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

/// What the machine asks for, and that nothing is compressed: compression holds events back until
/// a block is full.
fn headers(request: &Request<'_>) -> HeaderMap {
    let value = |bytes| HeaderValue::from_bytes(bytes).ok();
    let headers = request.headers();
    let mut map: HeaderMap = headers
        .filter_map(|(name, bytes)| Some((name.parse().ok()?, value(bytes)?)))
        .collect();
    map.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    map
}

fn after(time: Duration) -> Instant {
    Instant::now() + time
}

/// Sends a GET request and follows redirects, up to the 20 of a browser.
///
/// reqwest could follow them too, but would take `own` headers along to wherever they lead.
async fn fetch(
    http: reqwest::Client,
    url: String,
    mut own: HeaderMap,
    headers: HeaderMap,
) -> Result<Response, Lost> {
    let mut url = Url::parse(&url).map_err(|_| Lost::futile("the URL is not valid"))?;
    for _ in 0..=20 {
        let request = http.get(url.clone()).headers(headers.clone());
        let response = request.headers(own.clone()).send().await?;
        let location = match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => response.headers().get(header::LOCATION),
            _ => None,
        };
        let Some(location) = location else {
            return Ok(response);
        };
        let next = match url.join(&String::from_utf8_lossy(location.as_bytes())) {
            Ok(next) if matches!(next.scheme(), "http" | "https") => next,
            _ => return Err(Lost::futile("a redirect to nowhere")),
        };
        if next.origin() != url.origin() {
            own.clear();
        }
        url = next;
    }
    Err(Lost::futile("too many redirects"))
}

/// A request without a response, or a body without an end.
struct Lost {
    cause: Disconnect,
    detail: Option<String>,
}

impl Lost {
    fn network(detail: &str) -> Self {
        Self {
            cause: Disconnect::Network,
            detail: Some(detail.to_owned()),
        }
    }

    fn futile(detail: &str) -> Self {
        Self {
            cause: Disconnect::Futile,
            detail: Some(detail.to_owned()),
        }
    }
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let causes = iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        Self {
            cause: if error.is_builder() {
                Disconnect::Futile
            } else {
                Disconnect::Network
            },
            detail: Some(causes.join(": ")),
        }
    }
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
type MessageListener = Box<dyn FnMut(&Message<'_>) + Send>;
type WarningListener = Box<dyn FnMut(&dyn Display) + Send>;

impl Listeners {
    /// The connection is open, to this origin.
    fn on_open(&mut self, listener: impl FnMut(Origin<'_>) + Send + 'static) {
        self.on_open.push(Box::new(listener));
    }

    /// The connection is lost: for good if the state is `Closed`.
    fn on_error(
        &mut self,
        listener: impl FnMut(ReadyState, Reason, Option<&str>) + Send + 'static,
    ) {
        self.on_error.push(Box::new(listener));
    }

    /// An event of this type has come; that of an event without one is `message`.
    fn add_event_listener(
        &mut self,
        event_type: impl Into<String>,
        listener: impl FnMut(&Message<'_>) + Send + 'static,
    ) {
        let listeners = self.by_type.entry(event_type.into()).or_default();
        listeners.push(Box::new(listener));
    }

    /// An event of any type has come: what a page cannot listen to.
    fn on_any(&mut self, listener: impl FnMut(&Message<'_>) + Send + 'static) {
        self.on_any.push(Box::new(listener));
    }

    /// Something was left out, and all goes on.
    fn on_warning(&mut self, listener: impl FnMut(&dyn Display) + Send + 'static) {
        self.on_warning.push(Box::new(listener));
    }

    fn open(&mut self, origin: Origin<'_>) {
        self.on_open.iter_mut().for_each(|tell| tell(origin));
    }

    fn error(&mut self, ready_state: ReadyState, reason: Reason, detail: Option<&str>) {
        let tell_all = self.on_error.iter_mut();
        tell_all.for_each(|tell| tell(ready_state, reason, detail));
    }

    fn message(&mut self, message: &Message<'_>) {
        let of_type = self.by_type.get_mut(message.event_type);
        let listeners = of_type.into_iter().flatten().chain(&mut self.on_any);
        listeners.for_each(|tell| tell(message));
    }

    fn warn(&mut self, warning: &dyn Display) {
        self.on_warning.iter_mut().for_each(|tell| tell(warning));
    }
}

/// Listens to an event stream and prints what it hears as JSON lines.
#[derive(Parser)]
#[command(name = "tokio-client", version, after_help = AFTER_HELP)]
struct Args {
    /// Where the stream is
    url: Url,

    /// Send this header too, but to no other origin that a redirect leads to
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// Go on after the event with this id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    last_event_id: String,

    /// Listen to events of this type only; may be repeated
    #[arg(long, value_name = "TYPE")]
    listen: Vec<String>,

    /// After how much silence a connection counts as lost
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    timeout: Duration,

    /// Close after so many events
    #[arg(long, value_name = "N")]
    close_after: Option<NonZero<u64>>,

    /// Say on standard error every so often how things stand
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    status: Option<Duration>,
}

const AFTER_HELP: &str = r#"An event is {"event":"message","data":"..","lastEventId":"..","origin":"http://.."}. The connection is
{"open":"http://.."}, with its origin, and {"error":"why","readyState":0}: 0 if it will be tried again, 2 if not;
there may be a "detail".

Exit code: 0 if the server said to stop (status 204), or after Ctrl-C, --close-after and when the reader of
the output went away; 1 if the stream failed for good; 2 for wrong arguments."#;

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("there is no colon")?;
    let name: HeaderName = name.parse().map_err(|_| "not the name of a header")?;
    if name == "last-event-id" {
        return Err("it changes with the events: use --last-event-id".into());
    }
    let value = value
        .trim_matches([' ', '\t'])
        .parse()
        .map_err(|_| "not a value of a header")?;
    Ok((name, value))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    // As the standard has it, and kind to servers that are down or ask for the impossible.
    let policy = RetryPolicy::new()
        .floor(Duration::from_millis(100))
        .backoff(Duration::from_secs(60))
        .jitter(20)
        .ceiling(Duration::from_secs(60 * 60));
    let mut source = match EventSource::new(args.url) {
        Ok(source) => source.retry_policy(policy),
        Err(error) => return fail(error),
    };
    if let Err(error) = source.set_last_event_id(&args.last_event_id) {
        return fail(error);
    }
    let headers = args.header.into_iter().collect();
    let mut client = match Client::new(source, headers, args.timeout) {
        Ok(client) => client,
        Err(error) => return fail(error),
    };

    let handle = client.handle();
    client.listeners.on_open(move |origin| {
        let open = origin.to_string();
        print(&handle, &Line::Open { open });
    });
    let handle = client.handle();
    client
        .listeners
        .on_error(move |ready_state, reason, detail| {
            let error = reason.to_string();
            let ready_state = ready_state as u8;
            print(
                &handle,
                &Line::Error {
                    error,
                    ready_state,
                    detail,
                },
            );
        });
    let handle = client.handle();
    let left = Arc::new(AtomicU64::new(
        args.close_after.map_or(u64::MAX, NonZero::get),
    ));
    let on_message = move |message: &Message<'_>| {
        print(&handle, &Line::from(message));
        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
            handle.close();
        }
    };
    if args.listen.is_empty() {
        client.listeners.on_any(on_message);
    } else {
        for event_type in args.listen {
            client
                .listeners
                .add_event_listener(event_type, on_message.clone());
        }
    }
    client.listeners.on_warning(|warning| complain(warning));

    let handle = client.handle();
    tokio::spawn(async move {
        if signal::ctrl_c().await.is_ok() {
            handle.close();
        }
    });

    let period = args.status.unwrap_or(Duration::MAX);
    let reason = loop {
        tokio::select! {
            reason = client.run() => break reason,
            // Drops the future of `run`; the next turn goes on with a new one.
            () = time::sleep(period) => complain(client.status()),
        }
    };
    match reason {
        None | Some(Reason::Status(204)) => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Line<'a> {
    Open {
        open: String,
    },
    Error {
        error: String,
        ready_state: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
    Event {
        event: &'a str,
        data: &'a str,
        last_event_id: &'a str,
        origin: String,
    },
}

impl<'a> From<&Message<'a>> for Line<'a> {
    fn from(message: &Message<'a>) -> Self {
        Self::Event {
            event: message.event_type,
            data: message.data,
            last_event_id: message.last_event_id,
            origin: message.origin.to_string(),
        }
    }
}

/// Who cannot be heard any more need not listen.
fn print(handle: &Handle, line: &Line<'_>) {
    let mut stdout = io::stdout().lock();
    let result = serde_json::to_writer(&mut stdout, line).map_err(io::Error::from);
    if let Err(error) = result.and_then(|()| writeln!(stdout)) {
        if error.kind() != ErrorKind::BrokenPipe {
            complain(format_args!("standard output: {error}"));
        }
        handle.close();
    }
}

/// Like `eprintln!`, which would panic if standard error was closed.
fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "tokio-client: {message}");
}

fn fail(error: impl Display) -> ExitCode {
    complain(error);
    ExitCode::from(2)
}
