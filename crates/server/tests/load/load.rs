//! `load` connects many clients to `live-server` while it is killed, stopped and restarted. Run by
//! `tests/load.sh`.
//!
//! All clients run in this process, each as an `EventSource` on its own connection. Each compares
//! every event with the expected one: its id, which must follow the previous one, its type and its
//! data. One more client requests the stream and reads nothing. The output ends with `N passed, 0
//! failed`, where N is the number of clients that received all events, each once and in order. The
//! last of them connects at the end, to a restarted server.

mod feed;
mod idle;
mod publisher;
mod server;
mod shutdown;
mod watcher;

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use feed::Feed;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use idle::Idle;
use publisher::Publisher;
use server::{Server, Usage};
use tokio::{runtime::Runtime, time};
use watcher::{Tally, Watcher};

/// How long the server is down after a kill.
const DOWN: Duration = Duration::from_millis(500);

/// How long clients are told to wait after a shutdown, in addition to their share of the spread.
/// Long enough for the next server to start.
const RETRY: Duration = Duration::from_secs(2);

/// How long clients may take to connect or to catch up. Only reached by a failing run.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Connects many clients to live-server while it is killed, stopped and restarted
#[derive(Parser)]
struct Args {
    /// The program live-server
    server: PathBuf,

    /// A directory that does not exist yet, for the history
    store: PathBuf,

    #[arg(long, default_value_t = 2000)]
    clients: usize,

    /// How long events are published before the shutdown
    #[arg(long, default_value_t = 60)]
    seconds: u32,

    /// Events per second
    #[arg(long, default_value_t = 10)]
    rate: u32,

    /// How often the server is killed
    #[arg(long, default_value_t = 5)]
    kills: u32,

    /// The number of seconds over which clients reconnect after the shutdown
    #[arg(long, default_value_t = 10)]
    spread: u32,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let runtime = Runtime::new()?;
    let spread = Duration::from_secs(args.spread.into());
    let mut server = Server::start(&args.server, &args.store, spread)?;
    let url = format!("http://{}/events", server.address);

    // More events than there is time for.
    let seconds = args.seconds + args.spread + 2 * TIMEOUT.as_secs() as u32;
    let feed = Arc::new(Feed::new(u64::from(seconds * args.rate)));
    let http = {
        let _in_runtime = runtime.enter();
        Client::builder(TokioExecutor::new()).build_http()
    };
    let publisher = Arc::new(Publisher::new(http, &server.address));
    runtime.block_on(publisher.publish(&feed, 1))?;
    let watch = |tally: &Arc<Tally>| {
        let _in_runtime = runtime.enter();
        Watcher::start(&url, &feed, tally)
    };

    let before = Usage::of("self")?;
    let tally = Arc::new(Tally::default());
    let begin = Instant::now();
    let watchers = (0..args.clients)
        .map(|_| watch(&tally))
        .collect::<Result<Vec<_>, _>>()?;
    // A client may not have noticed yet that the server was killed.
    let all_open = |restarts: u32| {
        let clients = args.clients as u64;
        tally.open.load(Relaxed) == clients
            && tally.opened.load(Relaxed) >= clients * u64::from(restarts + 1)
    };
    if !wait_until(|| all_open(0)) {
        return Err("clients cannot connect".into());
    }
    println!(
        "{} clients connected within {:.1?}",
        args.clients,
        begin.elapsed()
    );

    let begin = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let publishing = runtime.spawn({
        let (publisher, feed, is_over) = (publisher.clone(), feed.clone(), is_over.clone());
        async move { publish(&publisher, &feed, &is_over, args.rate).await }
    });
    let mut idle = Idle::open(&server.address)?;
    for kill in 1..=args.kills {
        // Each time at a different moment between two events.
        let at = Duration::from_secs(args.seconds.into()) * kill / (args.kills + 1)
            + Duration::from_millis(u64::from(kill) * 37 % 100);
        thread::sleep(at.saturating_sub(begin.elapsed()));
        let open = tally.open.load(Relaxed);
        server.kill()?;
        thread::sleep(DOWN);
        let newest = watchers.iter().map(Watcher::seen).max();
        let behind = watchers
            .iter()
            .filter(|watcher| Some(watcher.seen()) < newest);
        let behind = behind.count();
        let restart = Instant::now();
        server.restart(RETRY)?;
        let back = Instant::now();
        idle = Idle::open(&server.address)?;
        if !wait_until(|| all_open(kill)) {
            return Err(format!("kill {kill}: not all clients reconnected").into());
        }
        println!(
            "kill {kill}: {open} clients were open, {behind} lacked an event that others had; \
             restarted after {DOWN:.1?}, up after {:.1?}, all clients reconnected after another {:.1?}",
            back - restart,
            back.elapsed(),
        );
    }
    thread::sleep(Duration::from_secs(args.seconds.into()).saturating_sub(begin.elapsed()));
    let stats = runtime.block_on(publisher.stats())?;
    let lacking = stats["max_lag"].as_u64().unwrap_or(0);
    println!(
        "a client that reads nothing lacks {lacking} of {} events; the server uses {} KiB",
        watchers.iter().map(Watcher::seen).max().unwrap_or(0),
        server.usage()?.resident
    );

    let mut errors = shutdown::shutdown(&mut server, idle, &watchers, &feed, spread)?;
    if lacking == 0 {
        errors.push("a client that reads nothing was sent everything".to_owned());
    }
    if !wait_until(|| all_open(args.kills + 1)) {
        return Err("not all clients reconnected after the shutdown".into());
    }
    errors.extend(shutdown::check_returns(&watchers, spread));
    is_over.store(true, Relaxed);
    let (published, publishing) = runtime.block_on(publishing)?;
    errors.extend(publishing.err());

    let time = begin.elapsed();
    let end = Instant::now();
    wait_until(|| watchers.iter().all(|watcher| watcher.seen() >= published));
    let late = end.elapsed();
    // Duplicates may arrive late.
    thread::sleep(Duration::from_secs(1));
    let (server_usage, clients_usage) = (server.usage()?, Usage::of("self")?);
    // The history, and the connections including their buffers for an event.
    let limit = args.clients as u64 * 64 + (64 << 10);
    if server_usage.peak > limit {
        errors.push(format!("the server used more than {limit} KiB"));
    }

    let mut verdicts: Vec<_> = watchers
        .into_iter()
        .map(|watcher| runtime.block_on(watcher.end(published, args.kills + 1)))
        .collect();
    server.kill()?;
    server.restart(RETRY)?;
    let last = watch(&Arc::default())?;
    wait_until(|| last.seen() >= published);
    verdicts.push(runtime.block_on(last.end(published, 0)));
    let failures = verdicts.iter().enumerate();
    let failures = failures.filter_map(|(client, verdict)| Some((client, verdict.as_ref().err()?)));
    for (client, errors) in failures.clone().take(10) {
        println!("client {client}: {}", errors.join("; "));
    }
    let failed = failures.count();
    for error in &errors {
        println!("ERROR: {error}");
    }

    let delivered = tally.delivered.load(Relaxed);
    let mut latencies = tally.latencies();
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let time = latencies.get(latencies.len().saturating_sub(1) * percent / 100);
        Duration::from_micros(time.copied().unwrap_or(0).into())
    };
    println!(
        "published: {published} events in {time:.1?}; the last one reached all clients {late:.1?} later"
    );
    println!(
        "delivered: {delivered} events, {:.0} per second, {:.1} MB of data; {} of them after a reconnect",
        delivered as f64 / time.as_secs_f64(),
        tally.bytes.load(Relaxed) as f64 / 1e6,
        delivered - latencies.len() as u64,
    );
    println!(
        "connections: {} opened, {} of them reconnects",
        tally.opened.load(Relaxed),
        tally.reopened()
    );
    println!(
        "latency from before the POST to each connected client: median {:.1?}, 99 % {:.1?}, maximum {:.1?}",
        percentile(50),
        percentile(99),
        percentile(100),
    );
    println!(
        "server: {:.1?} of CPU, at most {} KiB, {:.1} KiB per client",
        server_usage.cpu,
        server_usage.peak,
        server_usage.peak as f64 / args.clients as f64,
    );
    println!(
        "clients: {:.1?} of CPU, at most {} KiB, {:.1} KiB per client beyond the initial {} KiB",
        clients_usage.cpu,
        clients_usage.peak,
        clients_usage.peak.saturating_sub(before.resident) as f64 / args.clients as f64,
        before.resident,
    );
    println!("{} passed, {failed} failed", verdicts.len() - failed);
    Ok(if failed == 0 && errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Publishes until the run is over. Returns the number of the last event and an error, if any.
async fn publish(
    publisher: &Publisher,
    feed: &Feed,
    is_over: &AtomicBool,
    rate: u32,
) -> (u64, Result<(), String>) {
    let mut ticks = time::interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut last = 1;
    while !is_over.load(Relaxed) {
        ticks.tick().await;
        match time::timeout(TIMEOUT, publisher.publish(feed, last + 1)).await {
            Ok(Ok(())) => last += 1,
            Ok(result) => return (last, result),
            Err(_) => {
                let error = format!("event {} could not be published", last + 1);
                return (last, Err(error));
            }
        }
    }
    (last, Ok(()))
}

/// Returns whether the condition is met in time.
fn wait_until(is_met: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !is_met() {
        if begin.elapsed() > TIMEOUT {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
