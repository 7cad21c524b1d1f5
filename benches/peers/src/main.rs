//! Prints what `benches/RESULTS.md` is made of, as Markdown.

use clap::{Parser, Subcommand};
use peers::{chart, encoders, growth, streams, tables};
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
    /// Time of streams of events.
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
    /// One stream type over one stream, once more after it was run: for `valgrind --tool=callgrind
    /// --toggle-collect='peers::streams::measured*'`.
    Once {
        /// A name in the tables of `streams`.
        name: String,
        /// A stream.
        stream: String,
        /// A chunk size.
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
        } => streams::run(
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
