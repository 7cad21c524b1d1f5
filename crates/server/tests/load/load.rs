//! `load` holds `live-server` under many clients while it is killed and started again. Run by
//! `tests/load.sh`.
//!
//! The clients are all in this process, each an `EventSource` on a connection of its own. Each holds
//! every event against what is due: the number in its id, its type, all of its data. Ends with
//! `N passed, 0 failed`, where N are the clients that have seen all events, each once and in order.
//! The last of them comes when all is over and sees what a server started anew has of it.

mod feed;
mod publisher;
mod server;
mod watcher;

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use feed::Feed;
use publisher::Publisher;
use reqwest::Url;
use server::{Server, Usage};
use tokio::{runtime::Runtime, time};
use watcher::{Tally, Watcher};

/// How long the server stays away.
const DOWN: Duration = Duration::from_millis(500);

/// How long clients may take to connect or to catch up. Only a failing load takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds live-server under many clients while it is killed and started again.
#[derive(Parser)]
struct Args {
    /// The program live-server
    server: PathBuf,

    /// A file that is not there yet, for its history
    store: PathBuf,

    #[arg(long, default_value_t = 2000)]
    clients: usize,

    /// How long events are published
    #[arg(long, default_value_t = 60)]
    seconds: u32,

    /// Events a second
    #[arg(long, default_value_t = 10)]
    rate: u32,

    /// How often the server is killed
    #[arg(long, default_value_t = 5)]
    kills: u32,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let runtime = Runtime::new()?;
    let mut server = Server::start(&args.server, &args.store)?;
    let url: Url = format!("http://{}/events", server.address).parse()?;

    // One for the first event, and one for each tick, of which there is one more than periods.
    let feed = Arc::new(Feed::new(u64::from(args.seconds * args.rate) + 2));
    let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
    let publisher = Publisher::new(reqwest::Client::new(), url.clone());
    let run: Arc<str> = runtime.block_on(publisher.first(&feed))?.into();
    let watch = |tally: &Arc<Tally>| {
        let _in_runtime = runtime.enter();
        Watcher::start(url.clone(), &run, &feed, tally)
    };

    let before = Usage::of("self")?;
    let tally = Arc::new(Tally::default());
    let begin = Instant::now();
    let watchers = (0..args.clients)
        .map(|_| watch(&tally))
        .collect::<Result<Vec<_>, _>>()?;
    // A client may not know yet that the server was killed.
    let all_open = |kills: u32| {
        let due = args.clients as u64;
        tally.open.load(Relaxed) == due && tally.opened.load(Relaxed) >= due * u64::from(kills + 1)
    };
    if !come_true(|| all_open(0)) {
        return Err("clients cannot connect".into());
    }
    println!(
        "{} clients connected within {:.1?}",
        args.clients,
        begin.elapsed()
    );

    let begin = Instant::now();
    let publishing = runtime.spawn({
        let (feed, run) = (feed.clone(), run.clone());
        async move { publish(publisher, feed, run, args.seconds, args.rate).await }
    });
    for kill in 1..=args.kills {
        // Each time at another moment between two events.
        let due = Duration::from_secs(args.seconds.into()) * kill / (args.kills + 1)
            + Duration::from_millis(u64::from(kill) * 37 % 100);
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let open = tally.open.load(Relaxed);
        server.kill()?;
        thread::sleep(DOWN);
        let newest = watchers.iter().map(Watcher::seen).max();
        let behind = watchers
            .iter()
            .filter(|watcher| Some(watcher.seen()) < newest);
        let behind = behind.count();
        let restart = Instant::now();
        server.restart()?;
        let back = Instant::now();
        if !come_true(|| all_open(kill)) {
            println!("kill {kill}: not all clients come back");
            break;
        }
        println!(
            "kill {kill}: {open} clients were open, {behind} lacked an event that others had; \
             started after {DOWN:.1?}, up after {:.1?}, all clients back after {:.1?} more",
            back - restart,
            back.elapsed(),
        );
    }
    let (published, publishing) = runtime.block_on(publishing)?;
    let time = begin.elapsed();
    let end = Instant::now();
    come_true(|| watchers.iter().all(|watcher| watcher.seen() >= published));
    let late = end.elapsed();
    // What comes twice may come late.
    thread::sleep(Duration::from_secs(1));
    let (server_usage, clients_usage) = (server.usage()?, Usage::of("self")?);

    let mut verdicts: Vec<_> = watchers
        .into_iter()
        .map(|watcher| runtime.block_on(watcher.end(published, args.kills)))
        .collect();
    server.kill()?;
    server.restart()?;
    let last = watch(&Arc::default())?;
    come_true(|| last.seen() >= published);
    verdicts.push(runtime.block_on(last.end(published, 0)));
    let faults = verdicts.iter().enumerate();
    let faults = faults.filter_map(|(client, verdict)| Some((client, verdict.as_ref().err()?)));
    for (client, faults) in faults.clone().take(10) {
        println!("client {client}: {}", faults.join("; "));
    }
    let failed = faults.count();
    if let Err(fault) = &publishing {
        println!("publisher: {fault}");
    }

    let delivered = tally.delivered.load(Relaxed);
    let mut latencies = tally.latencies();
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let time = latencies.get(latencies.len().saturating_sub(1) * percent / 100);
        Duration::from_micros(time.copied().unwrap_or(0).into())
    };
    println!(
        "published: {published} events in {time:.1?}; the last was with all clients {late:.1?} later"
    );
    println!(
        "delivered: {delivered} events, {:.0} a second, {:.1} MB of data; {} of them after a reconnect",
        delivered as f64 / time.as_secs_f64(),
        tally.bytes.load(Relaxed) as f64 / 1e6,
        delivered - latencies.len() as u64,
    );
    println!(
        "connections: {} opened, {} of them again",
        tally.opened.load(Relaxed),
        tally.reopened()
    );
    println!(
        "latency from before the POST to each client, if connected: median {:.1?}, 99 % {:.1?}, most {:.1?}",
        percentile(50),
        percentile(99),
        percentile(100),
    );
    println!(
        "server: {:.1?} of CPU, {} KiB at most, {:.1} KiB a client",
        server_usage.cpu,
        server_usage.peak,
        server_usage.peak as f64 / args.clients as f64,
    );
    println!(
        "clients: {:.1?} of CPU, {} KiB at most, {:.1} KiB a client beyond the {} KiB before the first",
        clients_usage.cpu,
        clients_usage.peak,
        clients_usage.peak.saturating_sub(before.resident) as f64 / args.clients as f64,
        before.resident,
    );
    println!("{} passed, {failed} failed", verdicts.len() - failed);
    Ok(if failed == 0 && publishing.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Publishes for a while. Returns the number of the last event, and whether there was a fault.
async fn publish(
    publisher: Publisher,
    feed: Arc<Feed>,
    run: Arc<str>,
    seconds: u32,
    rate: u32,
) -> (u64, Result<(), String>) {
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut ticks = time::interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut last = 1;
    while Instant::now() < end && last < feed.len() {
        ticks.tick().await;
        match time::timeout(PATIENCE, publisher.publish(&feed, &run, last + 1)).await {
            Ok(Ok(())) => last += 1,
            Ok(fault) => return (last, fault),
            Err(_) => {
                return (
                    last,
                    Err(format!("event {} could not be published", last + 1)),
                );
            }
        }
    }
    (last, Ok(()))
}

fn come_true(is_so: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
