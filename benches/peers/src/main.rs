//! Prints what `benches/RESULTS.md` is made of, as Markdown.

use clap::{Parser, Subcommand};
use peers::{chart, encoders, growth, stream_tables, streams, tables};
use std::path::PathBuf;
use std::time::Duration;

/// Measures sse-proto beside the other SSE crates.
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
        /// For each stream and chunk size, about.
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
        /// Where to draw the chart.
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
        /// For each stream and chunk size, about.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Runs one stream type over one stream, once more after a warm-up.
    ///
    /// So that callgrind counts the instructions of the second run only:
    ///
    /// valgrind --tool=callgrind --toggle-collect='peers::streams::measured*' PEERS once
    /// sse-proto-stream llm event
    Once {
        /// As in the tables of `streams`: "sse-core 0.2.3", say.
        name: String,
        /// As in the tables: llm, say.
        stream: String,
        /// As in the tables: event, 16, 1400, 16384.
        chunk: String,
    },
    /// Throughput of the encoders.
    Encode {
        /// How often each writes each kind of frames.
        #[arg(long, default_value_t = 201)]
        rounds: usize,
    },
    /// Cost of a byte as events grow.
    Growth {
        /// Length of the largest event, in MB.
        #[arg(long, default_value_t = 64)]
        largest: usize,
    },
    /// Checks all answers and times nothing.
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

/// Whether a list has this name; an empty one has all.
fn wanted(list: &[String], name: &str) -> bool {
    list.is_empty() || list.iter().any(|other| other == name)
}
