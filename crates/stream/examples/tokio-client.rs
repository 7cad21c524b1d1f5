//! `tokio-client` prints the events of an event stream as JSON lines. It registers listeners, as a
//! web page does with `EventSource`. [`listen`] sets up the client; the HTTP library is reqwest or
//! hyper.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example live-server            # a server to connect to
//! $ alias tokio-client='cargo run -p sse-proto-stream --all-features --example tokio-client --'
//! $ tokio-client http://127.0.0.1:3000/events
//! $ tokio-client http://127.0.0.1:3000/events --listen note --close-after 3
//! ```

use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::{
    error::Error, fmt::Display, iter, pin::pin, process::ExitCode, sync::Mutex, time::Duration,
};

use bytes::Bytes;
use clap::Parser;
use http::{HeaderName, HeaderValue, Request, response};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use sse_proto::{Origin, OwnedEvent, Reason, RetryPolicy};
use sse_proto_stream::{
    Connect, EventSource, FinalUrl, Handle, HyperUtil, Listeners, Lost, Reqwest,
};
use tokio::{signal, time};

/// The standard's behavior, with backoff, jitter, and limits for the delay.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

/// Prints the events of an event stream as JSON lines.
#[derive(Parser)]
#[command(name = "tokio-client", version, after_help = AFTER_HELP)]
struct Args {
    /// URL of the stream
    url: String,

    /// Send this header, except after a redirect to another origin; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// Resume after the event with this ID
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    last_event_id: String,

    /// Print only events of this type; may be repeated
    #[arg(long, value_name = "TYPE")]
    listen: Vec<String>,

    /// Reconnect if nothing was received for this time
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    timeout: Duration,

    /// Retry after a response with this status, not before its Retry-After; may be repeated
    #[arg(long, value_name = "STATUS")]
    retry_status: Vec<u16>,

    /// Close after this number of events
    #[arg(long, value_name = "N")]
    close_after: Option<u64>,

    /// Print the state of the connection on standard error at this interval
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    status: Option<Duration>,

    /// HTTP library
    #[arg(long, default_value = "reqwest", value_parser = ["reqwest", "hyper"])]
    http: String,
}

const AFTER_HELP: &str = r#"Output:
  {"event":"message","data":"..","lastEventId":"..","origin":"http://.."}  an event
  {"open":"http://.."}                                                     connected to this origin
  {"error":"..","readyState":0,"detail":".."}                              connection lost

"detail" is the error of the HTTP library. "readyState" is 0 if the client will reconnect, and 2 if not.

Exit code: 0 if the server ended the stream (status 204), and after Ctrl-C, --close-after, or when standard
output is closed; 1 if the stream failed for good; 2 for wrong arguments."#;

type Failure = Box<dyn Error + Send + Sync>;

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let (name, value) = text.split_once(':').ok_or("no colon after the name")?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())?;
    Ok((name.parse()?, value))
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(Args::parse()).await.unwrap_or_else(|error| {
        log(error);
        ExitCode::from(2)
    })
}

async fn run(args: Args) -> Result<ExitCode, Failure> {
    // Not needed with the default features of either library, which include a cryptography
    // provider.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    if args.http == "reqwest" {
        return listen(args, Reqwest::new()?).await;
    }
    let connector = HttpsConnectorBuilder::new().with_native_roots()?;
    let connector = connector.https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    listen(args, HyperUtil::from(client)).await
}

async fn listen(args: Args, connect: impl Connect) -> Result<ExitCode, Failure> {
    let mut request = Request::get(&args.url).body(Bytes::new())?;
    request.headers_mut().extend(args.header);
    let source = EventSource::new(request, connect, time::sleep)?
        .retry_policy(RETRY_POLICY.statuses(&args.retry_status))
        .with_last_event_id(&args.last_event_id)
        .response_timeout(args.timeout)
        .read_timeout(args.timeout);
    let mut source = pin!(source);

    let printer = Printer::new(source.handle(), args.close_after);
    let mut listeners = Listeners::new()
        .on_open(|head| printer.open(head))
        .on_error(|lost| printer.error(lost))
        .on_too_large(|error| log(error));
    if args.listen.is_empty() {
        listeners = listeners.on_event(|event| printer.event(event));
    }
    for event_type in args.listen {
        listeners = listeners.add_event_listener(event_type, |event| printer.event(event));
    }

    let interval = args.status.unwrap_or(Duration::MAX);
    let mut interrupt = pin!(signal::ctrl_c());
    loop {
        tokio::select! {
            () = listeners.listen(source.as_mut()) => break,
            _ = &mut interrupt => break,
            // Drops the future of `listen`, which loses nothing: the next iteration continues.
            () = time::sleep(interval) => {
                let (state, id) = (source.ready_state(), source.last_event_id());
                log(format_args!("{state:?}, last event ID {id:?}"));
            }
        }
    }
    Ok(ExitCode::from(u8::from(printer.has_failed.load(Relaxed))))
}

/// Prints what the listeners receive.
struct Printer {
    handle: Handle,
    /// Origin of the current connection.
    origin: Mutex<String>,
    /// Events to print before closing.
    remaining: AtomicU64,
    has_failed: AtomicBool,
}

impl Printer {
    fn new(handle: Handle, close_after: Option<u64>) -> Self {
        Self {
            handle,
            origin: Mutex::default(),
            remaining: AtomicU64::new(close_after.unwrap_or(u64::MAX)),
            has_failed: AtomicBool::new(false),
        }
    }

    fn open(&self, head: &response::Parts) {
        let url = head.extensions.get::<FinalUrl>().map_or("", |url| &url.0);
        let origin = Origin::of(url).to_string();
        self.print(&json!({ "open": origin }));
        *self.origin.lock().expect("not poisoned") = origin;
    }

    fn event(&self, event: &OwnedEvent) {
        self.print(&json!({
            "event": event.event_type(),
            "data": event.data(),
            "lastEventId": event.last_event_id(),
            "origin": *self.origin.lock().expect("not poisoned"),
        }));
        if self.remaining.fetch_sub(1, Relaxed) == 1 {
            self.handle.close();
        }
    }

    fn error(&self, lost: &Lost) {
        let is_final = lost.delay().is_none();
        let has_failed = is_final && lost.reason() != Reason::Status(204);
        self.has_failed.store(has_failed, Relaxed);
        let causes = iter::successors(lost.source(), |&cause| cause.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        self.print(&json!({
            "error": lost.reason().to_string(),
            "readyState": if is_final { 2 } else { 0 },
            "detail": causes.join(": "),
        }));
    }

    /// Prints a line. If that fails, for example because a pipe is closed, closes the client.
    fn print(&self, line: &Value) {
        match writeln!(io::stdout(), "{line}") {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => log(format_args!("standard output: {error}")),
        }
        self.handle.close();
    }
}

/// Like `eprintln!`, but does not panic if standard error is closed.
fn log(message: impl Display) {
    let _ = writeln!(io::stderr(), "tokio-client: {message}");
}
