//! Two servers on one Redis under many clients, while the servers and Redis are killed. Run by
//! `tests/machines.sh`.
//!
//! Every client holds what it gets against what was acknowledged: each event once and in order, or a
//! `gap` where it lost any, and no id for two events.

mod cluster;
mod publisher;
mod run;
mod serve;
mod watcher;
#[path = "../support/witness.rs"]
mod witness;

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
    /// Is one of the servers
    Serve(serve::Args),
    /// Is everybody else
    Run(run::Args),
}

fn main() -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    match Args::parse().command {
        Command::Serve(args) => runtime.block_on(serve::serve(args)),
        Command::Run(args) => runtime.block_on(run::run(args)),
    }
}
