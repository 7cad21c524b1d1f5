//! `tokio-client` listens to an event stream as a page does with `EventSource`, and prints what it
//! hears as JSON lines.
//!
//! ```text
//! $ cargo run --example live-server                                   # something to listen to
//! $ cargo run --example tokio-client http://127.0.0.1:3000/events
//! $ cargo run --example tokio-client http://127.0.0.1:3000/events --listen note --close-after 3
//! ```
//!
//! The [`client`] is made to be taken from here; this file shows how it is used: see [`listen`].

mod client;
mod http;

use std::{
    error::Error,
    fmt::Display,
    io::{self, ErrorKind, Write as _},
    num::NonZero,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use client::{Client, Handle};
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use serde::Serialize;
use sse_proto::{EventSource, Message, Reason, RetryPolicy};
use tokio::{signal, time};

/// As the standard has it, and kind to servers that are down or ask for the impossible.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .floor(Duration::from_millis(100))
    .ceiling(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

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
    let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
    Ok((name, value.map_err(|_| "not a value of a header")?))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match listen(Args::parse()).await {
        Ok(None | Some(Reason::Status(204))) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE, // standard output has it already
        Err(error) => {
            complain(error);
            ExitCode::from(2)
        }
    }
}

async fn listen(args: Args) -> Result<Option<Reason>, Box<dyn Error>> {
    let mut source = EventSource::new(args.url)?.retry_policy(RETRY_POLICY);
    source.set_last_event_id(&args.last_event_id)?;
    let headers = args.header.into_iter().collect();
    let mut client = Client::new(source, headers, args.timeout)?;

    let handle = client.handle();
    client.on_open(move |origin| {
        let open = origin.to_string();
        print(&handle, &Line::Open { open });
    });

    let handle = client.handle();
    client.on_error(move |ready_state, reason, detail| {
        let (error, ready_state) = (reason.to_string(), ready_state as u8);
        let line = Line::Error {
            error,
            ready_state,
            detail,
        };
        print(&handle, &line);
    });

    let handle = client.handle();
    let left = args.close_after.map_or(u64::MAX, NonZero::get);
    let left = Arc::new(AtomicU64::new(left));
    let on_message = move |message: Message<'_>| {
        print(&handle, &Line::from(message));
        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
            handle.close();
        }
    };
    if args.listen.is_empty() {
        client.on_any(on_message);
    } else {
        for event_type in args.listen {
            client.add_event_listener(event_type, on_message.clone());
        }
    }

    client.on_warning(|warning| complain(warning));

    let handle = client.handle();
    tokio::spawn(async move {
        if signal::ctrl_c().await.is_ok() {
            handle.close();
        }
    });

    let period = args.status.unwrap_or(Duration::MAX);
    loop {
        tokio::select! {
            reason = client.run() => return Ok(reason),
            // This drops the future of `run`; that of the next turn goes on where it was.
            () = time::sleep(period) => {
                let source = client.source();
                let (state, id) = (source.ready_state(), source.last_event_id());
                complain(format_args!("{state:?}, last event id {id:?}"));
            }
        }
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

impl<'a> From<Message<'a>> for Line<'a> {
    fn from(message: Message<'a>) -> Self {
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
