//! The command-line program: runs the corpus against an adapter, and lists its cases.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use sse_conformance::{
    Capabilities, Capability, Case, cases, flags,
    runner::{self, Options, Progress},
};

/// Tests an implementation of text/event-stream (Server-Sent Events) with the conformance corpus
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the cases against an adapter, a program that speaks the protocol of ADAPTER.md
    ///
    /// The exit status is 0 if every `must` case passed, apart from those skipped for a missing
    /// capability, and the adapter made no protocol errors; 1 if not; and 2 if nothing could be
    /// run.
    Run(Run),
    /// Lists the cases, one per line: verdict, kind and group, id, rules, flags
    List(Selection),
    /// Lists the capabilities that an implementation can have
    Capabilities,
}

#[derive(Args)]
struct Selection {
    /// Selects cases by id, flag, group (`bom`, `decode/bom`), kind (`decode`) or rule (`P4`); may
    /// be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Writes JSON to standard output
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    selection: Selection,
    /// The capabilities of the implementation, separated by commas. Default: those that the adapter
    /// names, or all but `options` if it names none
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    capabilities: Option<Vec<Capability>>,
    /// Capabilities that the implementation lacks, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    without: Vec<Capability>,
    /// The time limit for an answer, which applies once more for each MiB of the request
    #[arg(long, default_value_t = 10.0, value_parser = seconds, value_name = "SECONDS")]
    timeout: f64,
    /// The time limit for the first answer of a process
    #[arg(long, default_value_t = 30.0, value_parser = seconds, value_name = "SECONDS")]
    startup: f64,
    /// How often the adapter may be restarted before the run is aborted
    #[arg(long, default_value_t = 100, value_name = "TIMES")]
    restarts: u64,
    /// The number of timeouts after which the run is aborted
    #[arg(long, default_value_t = 10, value_name = "TIMES")]
    hangs: u64,
    /// Stops at the first `must` case that fails
    #[arg(long)]
    fail_fast: bool,
    /// The adapter: a program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let status = match Cli::parse().command {
        Command::Run(options) => run(options),
        Command::List(selection) => list(&selection),
        Command::Capabilities => capabilities(),
    };
    status.unwrap_or_else(|why| {
        eprintln!("sse-conformance: {why}");
        ExitCode::from(2)
    })
}

fn run(options: Run) -> Result<ExitCode, String> {
    let cases = select(&options.selection.only)?;
    let mut run_options = Options::new(options.command);
    run_options.capabilities = options.capabilities.map(Capabilities::from_iter);
    run_options.without = options.without;
    run_options.timeout = Duration::from_secs_f64(options.timeout);
    run_options.startup = Duration::from_secs_f64(options.startup);
    run_options.restarts = options.restarts;
    run_options.hangs = options.hangs;
    run_options.fail_fast = options.fail_fast;

    // The adapters run in their own process groups, so an interrupt from the terminal does not
    // reach them.
    let interrupted = || {
        runner::kill_adapters();
        std::process::exit(130);
    };
    ctrlc::set_handler(interrupted).map_err(|why| why.to_string())?;

    let mut progress_line = ProgressLine::new();
    let report = runner::run(&run_options, &cases, &mut |progress| {
        progress_line.show(progress)
    });
    progress_line.clear();
    let report = report.map_err(|why| why.to_string())?;
    print(&if options.selection.json {
        serde_json::to_string_pretty(&report).map_err(|why| why.to_string())?
    } else {
        report.to_string()
    })?;
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn list(selection: &Selection) -> Result<ExitCode, String> {
    let cases = select(&selection.only)?;
    let lines: Vec<String> = if selection.json {
        let entries = cases.iter().map(|case| {
            serde_json::json!({
                "id": case.id, "kind": case.kind, "group": case.group, "verdict": case.verdict,
                "rules": case.rules, "flags": case.flags, "why": case.why,
            })
        });
        let entries: Vec<_> = entries.collect();
        vec![serde_json::to_string_pretty(&entries).map_err(|why| why.to_string())?]
    } else {
        let line = |case: &&Case| {
            format!(
                "{:4} {}/{} {} [{}] {}",
                case.verdict,
                case.kind,
                case.group,
                case.id,
                case.rules.join(", "),
                case.flags.join(" ")
            )
        };
        cases.iter().map(line).collect()
    };
    print(lines.join("\n").trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn capabilities() -> Result<ExitCode, String> {
    let names =
        Capability::ALL.map(|capability| format!("{:14} {}", capability, capability.about()));
    print(&names.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The cases that `only` selects, in the order of the corpus; all if it is empty.
fn select(only: &[String]) -> Result<Vec<&'static Case>, String> {
    for name in only {
        if !cases().iter().any(|case| matches(case, name)) {
            let hint = if flags().contains_key(name) {
                ", but it is a flag"
            } else {
                ""
            };
            return Err(format!("{name:?} selects no case{hint}"));
        }
    }
    let is_selected = |case: &&Case| only.is_empty() || only.iter().any(|name| matches(case, name));
    Ok(cases().iter().filter(is_selected).collect())
}

fn matches(case: &Case, name: &str) -> bool {
    case.id == name
        || case.kind.as_str() == name
        || case.group == name
        || name.split_once('/') == Some((case.kind.as_str(), &case.group))
        || case.has_flag(name)
        || case.rules.iter().any(|rule| rule == name)
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|why| format!("{why}"))?;
    if Duration::try_from_secs_f64(seconds).is_ok() && seconds > 0.0 {
        Ok(seconds)
    } else {
        Err("must be greater than zero, and finite".to_owned())
    }
}

/// Writes to standard output. A closed pipe is not an error.
fn print(text: &str) -> Result<(), String> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(why.to_string()),
        _ => Ok(()),
    }
}

/// Shows the progress of the run on standard error: one line that is updated on a terminal, one
/// line per group elsewhere.
struct ProgressLine {
    terminal: bool,
    last_update: Instant,
    group: String,
}

impl ProgressLine {
    fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            last_update: Instant::now(),
            group: String::new(),
        }
    }

    fn show(&mut self, progress: Progress<'_>) {
        let Progress {
            done,
            cases,
            failed,
            requests,
            case,
            ..
        } = progress;
        let group = format!("{}/{}", case.kind, case.group);
        let new_group = group != self.group;
        self.group = group;
        let text = format!(
            "{done} of {cases} cases, {failed} failed, {requests} requests, {}",
            self.group
        );
        if self.terminal && (new_group || self.last_update.elapsed() > Duration::from_millis(100)) {
            self.last_update = Instant::now();
            // Returns to the start of the line, and clears it to its end.
            let _ = write!(io::stderr(), "\r{text}\x1B[K");
        } else if !self.terminal && new_group {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn clear(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1B[K");
        }
    }
}
