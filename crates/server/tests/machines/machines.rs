//! Runs two servers on one Redis with many clients, while the servers and Redis are killed. Run by
//! `tests/machines.sh`.
//!
//! Every client compares what it receives with what was acknowledged: each event once and in order,
//! or a `gap` where it lost events, and no id for two events.

mod cluster;
#[path = "../support/observations.rs"]
mod observations;
mod publisher;
mod run;
mod serve;
mod watcher;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one of the servers
    Serve(serve::Args),
    /// Runs Redis, the servers and all clients
    Run(run::Args),
}

fn main() -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    match Args::parse().command {
        Command::Serve(args) => runtime.block_on(serve::serve(args)),
        Command::Run(args) => runtime.block_on(run::run(args)),
    }
}
