//! The program: runs the corpus against an adapter, and lists it.

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

/// Holds an implementation of text/event-stream (Server-Sent Events) against the conformance corpus.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Drives an adapter, a program that speaks the protocol of ADAPTER.md, through the corpus.
    ///
    /// Ends with 0 if every `must` case passed that the implementation can be asked and the conversation went well, with 1 if
    /// not, and with 2 if nothing could be run.
    Run(Run),
    /// Lists the cases, one a line: verdict, kind and group, id, rules, flags.
    List(Choice),
    /// Lists the capabilities that a run can ask for.
    Capabilities,
}

#[derive(Args)]
struct Choice {
    /// Only these cases: an id, a flag, a group (`bom`, `decode/bom`), a kind (`decode`) or a rule (`P4`); may be repeated
    #[arg(long, value_name = "FLAG|GROUP|ID")]
    only: Vec<String>,
    /// Writes JSON to standard output
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    choice: Choice,
    /// What the implementation offers, and nothing else: names with commas between. Without it what the adapter
    /// says, and if it says nothing, everything but `options`
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    capabilities: Option<Vec<Capability>>,
    /// What the implementation does not offer: names with commas between
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    without: Vec<Capability>,
    /// How many seconds an answer may take, and as many again for each MiB of its request
    #[arg(long, default_value_t = 10.0, value_parser = seconds, value_name = "SECONDS")]
    timeout: f64,
    /// How many seconds the first answer of a process may take
    #[arg(long, default_value_t = 30.0, value_parser = seconds, value_name = "SECONDS")]
    startup: f64,
    /// How often the adapter is started again before the run is broken off
    #[arg(long, default_value_t = 100, value_name = "TIMES")]
    restarts: u64,
    /// How many answers may fail to come in time before the run is broken off
    #[arg(long, default_value_t = 10, value_name = "TIMES")]
    hangs: u64,
    /// Stops at the first `must` case that fails
    #[arg(long)]
    fail_fast: bool,
    /// The program to drive, and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(options),
        Command::List(choice) => list(&choice),
        Command::Capabilities => capabilities(),
    };
    done.unwrap_or_else(|why| {
        eprintln!("sse-conformance: {why}");
        ExitCode::from(2)
    })
}

fn run(options: Run) -> Result<ExitCode, String> {
    let cases = chosen(&options.choice.only)?;
    let mut how = Options::new(options.command);
    how.capabilities = options.capabilities.map(Capabilities::from_iter);
    how.without = options.without;
    how.timeout = Duration::from_secs_f64(options.timeout);
    how.startup = Duration::from_secs_f64(options.startup);
    how.restarts = options.restarts;
    how.hangs = options.hangs;
    how.fail_fast = options.fail_fast;

    // The adapters are in process groups of their own: what interrupts this program does not reach them.
    let interrupted = || {
        runner::stop_all();
        std::process::exit(130);
    };
    ctrlc::set_handler(interrupted).map_err(|why| why.to_string())?;

    let mut meter = Meter::new();
    let report = runner::run(&how, &cases, &mut |progress| meter.show(progress));
    meter.clear();
    let report = report.map_err(|why| why.to_string())?;
    print(&if options.choice.json {
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

fn list(choice: &Choice) -> Result<ExitCode, String> {
    let cases = chosen(&choice.only)?;
    let lines: Vec<String> = if choice.json {
        let about = cases.iter().map(|case| {
            serde_json::json!({
                "id": case.id, "kind": case.kind, "group": case.group, "verdict": case.verdict,
                "rules": case.rules, "flags": case.flags, "why": case.why,
            })
        });
        let about: Vec<_> = about.collect();
        vec![serde_json::to_string_pretty(&about).map_err(|why| why.to_string())?]
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

/// The cases that `only` names, in the order of the corpus; all if it names none.
fn chosen(only: &[String]) -> Result<Vec<&'static Case>, String> {
    for name in only {
        if !cases().iter().any(|case| is_named(case, name)) {
            let known = if flags().contains_key(name) {
                ", but it is a flag"
            } else {
                ""
            };
            return Err(format!("no case is named by {name:?}{known}"));
        }
    }
    let is_chosen = |case: &&Case| only.is_empty() || only.iter().any(|name| is_named(case, name));
    Ok(cases().iter().filter(is_chosen).collect())
}

fn is_named(case: &Case, name: &str) -> bool {
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
        Err("more than none, and not for ever".to_owned())
    }
}

/// Writes to standard output; a reader that goes away is no error.
fn print(text: &str) -> Result<(), String> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(why.to_string()),
        _ => Ok(()),
    }
}

/// Shows on standard error how far the run is: on a terminal in one line, else a line for each group.
struct Meter {
    terminal: bool,
    shown: Instant,
    group: String,
}

impl Meter {
    fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            shown: Instant::now(),
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
        if self.terminal && (new_group || self.shown.elapsed() > Duration::from_millis(100)) {
            self.shown = Instant::now();
            // Back to the start of the line, and clear to its end.
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
