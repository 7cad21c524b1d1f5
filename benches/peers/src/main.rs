//! Prints the parts of `benches/RESULTS.md`, as Markdown.

use clap::{Parser, Subcommand};
use peers::{chart, encoders, growth, stream_tables, streams, tables};
use std::path::PathBuf;
use std::time::Duration;

/// Compares sse-proto with other SSE crates.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Throughput of the decoders.
    Decode {
        /// Only these streams.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Only these chunk sizes.
        #[arg(long, value_delimiter = ',')]
        chunk: Vec<String>,
        /// Approximate time for each stream and chunk size.
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
        /// Write the chart to this file.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Time per event of the stream types.
    Streams {
        /// Only these streams.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Only these chunk sizes.
        #[arg(long, value_delimiter = ',')]
        chunk: Vec<String>,
        /// Approximate time for each stream and chunk size.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Runs one stream type over one stream twice; the first run is a warm-up.
    ///
    /// To count only the instructions of the second run with callgrind:
    ///
    /// valgrind --tool=callgrind --toggle-collect='peers::streams::measured*' PEERS once
    /// sse-proto-stream llm event
    Once {
        /// Name as in the tables of `streams`, for example "sse-core 0.2.3".
        name: String,
        /// Name as in the tables, for example llm.
        stream: String,
        /// Name as in the tables: event, 16, 1400, 16384.
        chunk: String,
    },
    /// Throughput of the encoders.
    Encode {
        /// Number of rounds for each writer and kind of frames.
        #[arg(long, default_value_t = 201)]
        rounds: usize,
    },
    /// Cost per byte as events grow.
    Growth {
        /// Length of the largest event, in MB.
        #[arg(long, default_value_t = 64)]
        largest: usize,
    },
    /// Checks all answers, without timing.
    Check,
}

fn main() {
    match Args::parse().what {
        What::Decode {
            only,
            chunk,
            seconds,
            svg,
        } => {
            let all = tables::run(
                |stream| wanted(&only, stream),
                |size| wanted(&chunk, size),
                Duration::from_secs_f64(seconds),
            );
            if let Some(path) = svg {
                std::fs::write(path, chart::draw(&all)).expect("the chart can be written");
            }
        }
        What::Streams {
            only,
            chunk,
            seconds,
        } => stream_tables::run(
            |stream| wanted(&only, stream),
            |size| wanted(&chunk, size),
            Duration::from_secs_f64(seconds),
        ),
        What::Once {
            name,
            stream,
            chunk,
        } => streams::once(&name, &stream, &chunk),
        What::Encode { rounds } => encoders::run(rounds),
        What::Growth { largest } => growth::run(largest << 20),
        What::Check => {
            tables::check_all(1 << 12);
            encoders::check_all();
        }
    }
}

/// Whether `list` contains `name`; an empty list contains every name.
fn wanted(list: &[String], name: &str) -> bool {
    list.is_empty() || list.iter().any(|other| other == name)
}
