//! The sequence of faults, and the verdict.

use std::{
    collections::HashSet,
    io::Write as _,
    panic,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time;

use crate::{
    Failure,
    cluster::Cluster,
    observations::check_observations,
    publisher::{Ledger, publish, publish_one},
    watcher::{Tally, watch},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program redis-server or valkey-server
    #[arg(long)]
    engine: PathBuf,
    #[arg(long, default_value_t = 500)]
    clients: usize,
    /// How long everything runs between two faults, in milliseconds
    #[arg(long, default_value_t = 3000)]
    pause: u64,
}

/// How long a killed process is down.
const DOWN: Duration = Duration::from_millis(700);

/// How long clients may take to reconnect and catch up. Only reached by a failing run.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Fault {
    Server(usize),
    /// The engine is killed and restarted with its data.
    Engine,
    /// The engine is killed and restarted without its data.
    EngineEmptied,
    /// One server and the engine at once.
    Both,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout();
    let mut cluster = Cluster::start(&args.engine)?;
    let http = || Client::builder(TokioExecutor::new()).build_http();
    let ledger = Arc::new(Ledger::default());
    let tally = Arc::new(Tally::default());

    // Each client has its own connections, as in separate browsers.
    let watchers: Vec<_> = (0..args.clients)
        .map(|number| {
            let urls = [cluster.url(0, "events"), cluster.url(1, "events")];
            tokio::spawn(watch(http(), urls, number, ledger.clone(), tally.clone()))
        })
        .collect();
    while tally.connections.load(Relaxed) < args.clients as u64 {
        time::sleep(Duration::from_millis(20)).await;
    }
    let begin = Instant::now();
    let publishers: Vec<_> = ["first", "second"]
        .into_iter()
        .enumerate()
        .map(|(server, name)| {
            tokio::spawn(publish(
                http(),
                cluster.url(server, "publish"),
                name,
                ledger.clone(),
            ))
        })
        .collect();
    for fault in [
        Fault::Server(0),
        Fault::Server(1),
        Fault::Engine,
        Fault::EngineEmptied,
        Fault::Both,
        Fault::Server(0),
        Fault::Engine,
    ] {
        time::sleep(Duration::from_millis(args.pause)).await;
        let gaps = tally.gaps.load(Relaxed);
        let acknowledged = ledger.acknowledged.lock().unwrap().len();
        match fault {
            Fault::Server(number) => cluster.servers[number].kill()?,
            Fault::Engine | Fault::EngineEmptied => cluster.engine.kill()?,
            Fault::Both => {
                cluster.engine.kill()?;
                cluster.servers[1].kill()?;
            }
        }
        time::sleep(DOWN).await;
        match fault {
            Fault::Server(number) => cluster.servers[number].start()?,
            Fault::Engine => cluster.engine.start()?,
            Fault::EngineEmptied => {
                ledger.was_emptied.store(true, Relaxed);
                cluster.remove_data()?;
                cluster.engine.start()?;
            }
            Fault::Both => {
                cluster.engine.start()?;
                cluster.servers[1].start()?;
            }
        }
        // Wait until publishing succeeds again and all clients have been told.
        let back = Instant::now();
        while ledger.acknowledged.lock().unwrap().len() < acknowledged + 20
            && back.elapsed() < TIMEOUT
        {
            time::sleep(Duration::from_millis(10)).await;
        }
        let publishing = back.elapsed();
        time::sleep(Duration::from_secs(1)).await;
        let gaps = tally.gaps.load(Relaxed) - gaps;
        match fault {
            Fault::Server(_) => writeln!(out, "{fault:?}: {gaps} gaps sent")?,
            _ => writeln!(
                out,
                "{fault:?}: publishing works again {publishing:.1?} after the restart, {gaps} gaps sent"
            )?,
        }
    }
    time::sleep(Duration::from_millis(args.pause)).await;
    ledger.is_over.store(true, Relaxed);
    for publisher in publishers {
        publisher.await??;
    }
    let last = loop {
        let data = format!("the end {:?}", begin.elapsed());
        if let Some(id) = publish_one(&http(), &cluster.url(0, "publish"), &data, &ledger).await? {
            break id;
        }
    };
    let end = Instant::now();
    let mut failed = 0;
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    for (number, watcher) in watchers.into_iter().enumerate() {
        let left = TIMEOUT.saturating_sub(end.elapsed());
        let verdict = match time::timeout(left, watcher).await {
            Err(_) => Err("does not reach the end".to_owned()),
            Ok(observations) => observations?.and_then(|observations| {
                panic::catch_unwind(|| {
                    check_observations(number, &observations, &acknowledged, last)
                })
                .map_err(|_| "see above".to_owned())
            }),
        };
        if let Err(fault) = verdict {
            failed += 1;
            writeln!(out, "client {number}: {fault}")?;
        }
    }
    for data in ledger
        .not_published
        .lock()
        .unwrap()
        .iter()
        .filter(|data| ledger.was_seen(data))
    {
        failed += 1;
        writeln!(out, "{data:?} was reported as not published, but was seen")?;
    }

    let mut latencies = std::mem::take(&mut *tally.latencies.lock().unwrap());
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        latencies
            .get(latencies.len() * percent / 100)
            .copied()
            .unwrap_or(0) as f64
            / 1000.0
    };
    let ids = ledger.ids();
    let epochs: HashSet<_> = ids.iter().map(|id| id.epoch).collect();
    writeln!(
        out,
        "{} events acknowledged in {:.0?}, {} not published, {} unknown; {} ids in {} epochs; \
         {} deliveries over {} connections of {} clients, {} gaps sent; \
         latency {:.1} ms (median), {:.1} ms (99 %)",
        acknowledged.len(),
        begin.elapsed(),
        ledger.not_published.lock().unwrap().len(),
        ledger.unknown.load(Relaxed),
        ids.len(),
        epochs.len(),
        tally.delivered.load(Relaxed),
        tally.connections.load(Relaxed),
        args.clients,
        tally.gaps.load(Relaxed),
        percentile(50),
        percentile(99),
    )?;
    writeln!(
        out,
        "{} passed, {failed} failed",
        args.clients - failed.min(args.clients)
    )?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
