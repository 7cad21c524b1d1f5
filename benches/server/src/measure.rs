//! The measurements: all candidates take turns in each round; figures are medians.

use std::{io::Write as _, time::Duration};

use clap::ValueEnum;
use tokio::time;

use crate::{
    candidate::{Candidate, Publisher},
    clients::Clients,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// NAME,ADDRESS,PROCESS[,PROCESS...] of each server
    #[arg(required = true, value_parser = Candidate::parse)]
    candidates: Vec<Candidate>,
    #[arg(long, default_value_t = 500)]
    clients: usize,
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Number of events that a returning client has missed
    #[arg(long, default_value_t = 10_000)]
    missed: u64,
    /// Measure only this, for a profiler on a server
    #[arg(long)]
    only: Option<What>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    Bursts,
    Singles,
    LongBursts,
    Replay,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Events in a burst.
const BURST: u64 = 20;
const LONG_BURST: u64 = 200;
/// Number of bursts, or of single events, in a round; for long bursts, an eighth of it.
const TIMES: u64 = 40;
/// Number of clients that return at once.
const RETURNING: usize = 10;

pub(crate) async fn measure(args: Args) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let mut running = Vec::new();
    for candidate in args.candidates {
        // Allocates what all clients share.
        let warm_up = Clients::connect(&candidate, 20, "").await?;
        drop(warm_up);
        time::sleep(Duration::from_millis(300)).await;
        let before = candidate.memory()?;
        let clients = Clients::connect(&candidate, args.clients, "").await?;
        time::sleep(Duration::from_millis(300)).await;
        let memory = candidate.memory()?.saturating_sub(before) / args.clients as u64;
        let publisher = candidate.publisher().await?;
        running.push(Running {
            candidate,
            clients,
            publisher,
            memory,
            sent: 0,
            oldest: None,
            times: Default::default(),
        });
    }
    let live = [
        (What::Bursts, BURST),
        (What::Singles, 1),
        (What::LongBursts, LONG_BURST),
    ];
    for _ in 0..args.rounds {
        for server in &mut running {
            for ((what, count), times) in live.into_iter().zip(0..) {
                if args.only.is_none_or(|only| only == what) {
                    let time = server.live(count, args.clients).await?;
                    server.times[times].push(time);
                }
            }
        }
    }
    if args.only.is_none_or(|only| only == What::Replay) {
        // Publish as many events as a returning client has missed.
        for server in &mut running {
            while server.sent < args.missed {
                server.publish(BURST, args.clients).await?;
            }
        }
        for _ in 0..args.rounds {
            for server in &mut running {
                let replay = server.replay().await?;
                server.times[3].push(replay);
            }
        }
    }
    writeln!(
        out,
        "| {} clients, 250-byte events | µs of CPU per delivery, bursts of {BURST} | one event at a time | bursts of {LONG_BURST} | replay of {} events, µs per event | memory of an idle client, bytes |",
        args.clients, running[0].sent
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|")?;
    let medians: Vec<_> = running
        .iter()
        .map(|server| server.times.clone().map(median))
        .collect();
    for (server, times) in running.iter().zip(&medians) {
        let cells: Vec<_> = times
            .iter()
            .zip(&medians[0])
            .map(|(time, first)| format!("{time:.3} ({:.2})", time / first))
            .collect();
        writeln!(
            out,
            "| {} | {} | {} |",
            server.candidate.name,
            cells.join(" | "),
            server.memory
        )?;
    }
    writeln!(
        out,
        "\nMedians of {} rounds, all candidates in turns; in parentheses, the ratio to the first. CPU time of the server's processes, kernel included.",
        args.rounds
    )?;
    Ok(())
}

struct Running {
    candidate: Candidate,
    clients: Clients,
    publisher: Publisher,
    memory: u64,
    /// Number of published events.
    sent: u64,
    /// The id before the first of them.
    oldest: Option<String>,
    /// Microseconds per delivery: bursts, single events, long bursts, replay.
    times: [Vec<f64>; 4],
}

impl Running {
    /// Publishes `count` events at once and waits until every client has them.
    async fn publish(&mut self, count: u64, clients: usize) -> Result<(), Failure> {
        let before = self.publisher.publish(count).await?;
        self.oldest.get_or_insert(before);
        self.sent += count;
        self.clients.wait_for(self.sent * clients as u64).await
    }

    async fn live(&mut self, count: u64, clients: usize) -> Result<f64, Failure> {
        let before = self.candidate.cpu()?;
        let times = if count == LONG_BURST {
            TIMES / 8
        } else {
            TIMES
        };
        for _ in 0..times {
            self.publish(count, clients).await?;
        }
        let cpu = self.candidate.cpu()? - before;
        Ok(cpu.as_secs_f64() * 1e6 / (times * count * clients as u64) as f64)
    }

    async fn replay(&mut self) -> Result<f64, Failure> {
        let oldest = self.oldest.clone().unwrap_or_default();
        let before = self.candidate.cpu()?;
        let returning = Clients::connect(&self.candidate, RETURNING, &oldest).await?;
        let events = self.sent * RETURNING as u64;
        returning.wait_for(events).await?;
        let cpu = self.candidate.cpu()? - before;
        Ok(cpu.as_secs_f64() * 1e6 / events as f64)
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
