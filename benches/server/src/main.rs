//! The server package beside other ways to send one event to many clients. Run by
//! `benches/server/run.sh`, which starts each candidate as a process of its own and lets this program,
//! as one more process, be all of the clients.

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
    /// Is one of the servers; prints its address
    Serve(serve::Args),
    /// Is the clients, and prints a table
    Measure(measure::Args),
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Runtime::new()?;
    match Args::parse().command {
        Command::Serve(args) => runtime.block_on(serve::serve(args)),
        Command::Measure(args) => runtime.block_on(measure::measure(args)),
    }
}
