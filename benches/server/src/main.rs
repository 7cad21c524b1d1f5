//! Compares the server package with other ways to send one event to many clients. Started by
//! `benches/server/run.sh`: each candidate is its own process, and one more process is all clients.

mod candidate;
mod clients;
mod measure;
mod serve;

use clap::{Parser, Subcommand};

/// Measures servers of event streams.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one of the servers and prints its address
    Serve(serve::Args),
    /// Runs the clients and prints a table
    Measure(measure::Args),
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Runtime::new()?;
    match Args::parse().command {
        Command::Serve(args) => runtime.block_on(serve::serve(args)),
        Command::Measure(args) => runtime.block_on(measure::measure(args)),
    }
}
