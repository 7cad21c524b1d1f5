//! `tokio-client` listens to an event stream as a page does with `EventSource`, and prints what it
//! hears as JSON lines. The client is set up in [`listen`], and runs over either of two HTTP
//! libraries.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example live-server            # something to listen to
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
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use sse_proto::{Origin, OwnedEvent, Reason, RetryPolicy};
use sse_proto_stream::{Connect, EventSource, FinalUrl, Handle, HyperUtil, Listeners, Reqwest};
use tokio::{signal, time};

/// As the standard has it, and kind to servers that are down or ask for the impossible.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

/// Listens to an event stream and prints what it hears as JSON lines.
#[derive(Parser)]
#[command(name = "tokio-client", version, after_help = AFTER_HELP)]
struct Args {
    /// Where the stream is
    url: String,

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

    /// Try again after a response with this status, no sooner than it asks for; may be repeated
    #[arg(long, value_name = "STATUS")]
    retry_status: Vec<u16>,

    /// Close after so many events
    #[arg(long, value_name = "N")]
    close_after: Option<u64>,

    /// Say on standard error every so often how things stand
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    status: Option<Duration>,

    /// The HTTP library
    #[arg(long, default_value = "reqwest", value_parser = ["reqwest", "hyper"])]
    http: String,
}

const AFTER_HELP: &str = r#"An event is {"event":"message","data":"..","lastEventId":"..","origin":"http://.."}. The connection is
{"open":"http://.."}, with its origin, and {"error":"why","readyState":0,"detail":"what the HTTP library says"}: 0 if it
will be tried again, 2 if not.

Exit code: 0 if the server said to stop (status 204), or after Ctrl-C, --close-after and when the reader of
the output went away; 1 if the stream failed for good; 2 for wrong arguments."#;

type Failure = Box<dyn Error + Send + Sync>;

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let (name, value) = text.split_once(':').ok_or("there is no colon")?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())?;
    Ok((name.parse()?, value))
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    connect(Args::parse()).await.unwrap_or_else(|error| {
        complain(error);
        ExitCode::from(2)
    })
}

async fn connect(args: Args) -> Result<ExitCode, Failure> {
    // With the default features of either library there is one already.
    let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
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
    let handle = source.handle();
    let origin = Mutex::new(String::new());
    let has_failed = AtomicBool::new(false);
    let left = AtomicU64::new(args.close_after.unwrap_or(u64::MAX));
    let on_event = |event: &OwnedEvent| {
        let line = json!({
            "event": event.event_type(), "data": event.data(), "lastEventId": event.last_event_id(),
            "origin": *origin.lock().expect("no panic while it is locked"),
        });
        print(&handle, &line);
        if left.fetch_sub(1, Relaxed) == 1 {
            handle.close();
        }
    };
    let mut listeners = Listeners::new()
        .on_open(|head| {
            let url = head.extensions.get::<FinalUrl>().map_or("", |url| &url.0);
            let mut origin = origin.lock().expect("no panic while it is locked");
            *origin = Origin::of(url).to_string();
            print(&handle, &json!({ "open": *origin }));
        })
        .on_error(|lost| {
            let is_over = lost.wait().is_none();
            has_failed.store(is_over && lost.reason() != Reason::Status(204), Relaxed);
            let causes = iter::successors(lost.source(), |&cause| cause.source());
            let causes: Vec<_> = causes.map(ToString::to_string).collect();
            let line = json!({
                "error": lost.reason().to_string(), "readyState": if is_over { 2 } else { 0 },
                "detail": causes.join(": "),
            });
            print(&handle, &line);
        })
        .on_too_large(|error| complain(error));
    if args.listen.is_empty() {
        listeners = listeners.on_event(on_event);
    }
    for event_type in args.listen {
        listeners = listeners.add_event_listener(event_type, on_event);
    }

    let period = args.status.unwrap_or(Duration::MAX);
    let mut interrupt = pin!(signal::ctrl_c());
    loop {
        tokio::select! {
            () = listeners.listen(source.as_mut()) => break,
            _ = &mut interrupt => break,
            // This drops the future of `listen`; that of the next turn goes on where it was.
            () = time::sleep(period) => {
                let (state, id) = (source.ready_state(), source.last_event_id());
                complain(format_args!("{state:?}, last event id {id:?}"));
            }
        }
    }
    Ok(ExitCode::from(u8::from(has_failed.load(Relaxed))))
}

/// Who cannot be heard any more need not listen.
fn print(handle: &Handle, line: &Value) {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => return,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => complain(format_args!("standard output: {error}")),
    }
    handle.close();
}

/// Like `eprintln!`, which would panic if standard error was closed.
fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "tokio-client: {message}");
}
