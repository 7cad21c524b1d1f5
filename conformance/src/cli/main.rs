//! The command-line program: runs the corpus against an adapter, lists its cases, and makes badges.

// They panic if the output is a closed pipe.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod badge;
mod junit;
mod progress;
mod xml;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    iter,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use badge::Badge;
use clap::{Args, Parser, Subcommand};
use progress::ProgressLine;
use sse_conformance::{
    Capabilities, Capability, Case, cases, flags,
    runner::{self, Options, Report},
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
    List(List),
    /// Lists the capabilities that an implementation can have
    Capabilities,
    /// Makes a badge from the report of `run --json`, and prints Markdown that shows it
    ///
    /// The badge says how many of the `must` cases that were run have passed, and how many were not
    /// tested: skipped for a missing capability, not selected, or not run.
    Badge(MakeBadge),
}

#[derive(Args)]
struct Selection {
    /// Selects cases by id, flag, group (`bom`, `decode/bom`), kind (`decode`) or rule (`P4`); may
    /// be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    selection: Selection,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct MakeBadge {
    /// The report: the file that `run --json=FILE` wrote
    report: PathBuf,
    /// Writes the badge to a file, as an SVG image, which the Markdown then shows. Otherwise, it
    /// shows an image of shields.io
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Writes the badge to a file, as JSON for the endpoint badge of shields.io
    #[arg(long, value_name = "FILE")]
    endpoint: Option<PathBuf>,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    selection: Selection,
    /// Prints the report as JSON; with `=FILE`, writes the JSON to a file, beside the printed text
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    json: Option<Option<PathBuf>>,
    /// Writes the report to a file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
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
        Command::List(options) => list(&options),
        Command::Capabilities => capabilities(),
        Command::Badge(options) => make_badge(&options),
    };
    status.unwrap_or_else(|why| {
        let _ = writeln!(io::stderr(), "sse-conformance: {why}");
        ExitCode::from(2)
    })
}

fn run(options: Run) -> Result<ExitCode, String> {
    let cases = select(&options.selection)?;
    let json_file = options.json.iter().flatten().next();
    if any_same_file(json_file.into_iter().chain(&options.junit)) {
        return Err("--json and --junit need a file each".to_owned());
    }
    // Before the run, to report a path that cannot be written to at once, and to leave no old report
    // behind if the run does not get to its end. After the checks, which must not cost an old report.
    let json_file = json_file.map(|path| Output::create(path)).transpose()?;
    let junit_file = options.junit.as_deref().map(Output::create).transpose()?;
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
    // If one of them cannot be written, the others are.
    let printed = print(&match options.json {
        Some(None) => to_json(&report)?,
        _ => report.to_string(),
    });
    let json = json_file.map(|file| file.write(&to_json(&report)?));
    let junit = junit_file.map(|file| file.write(&junit::to_xml(&report)));
    printed?;
    json.transpose()?;
    junit.transpose()?;
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn to_json(report: &Report) -> Result<String, String> {
    serde_json::to_string_pretty(report).map_err(|why| why.to_string())
}

fn list(options: &List) -> Result<ExitCode, String> {
    let cases = select(&options.selection)?;
    let lines: Vec<String> = if options.json {
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

fn make_badge(options: &MakeBadge) -> Result<ExitCode, String> {
    let files = iter::once(&options.report).chain(&options.svg);
    if any_same_file(files.chain(&options.endpoint)) {
        return Err("the report, --svg and --endpoint need a file each".to_owned());
    }
    let report = fs::read(&options.report).map_err(|why| about(&options.report, why))?;
    let badge = Badge::of(&report).map_err(|why| {
        let path = options.report.display();
        format!("{path} is not a report of `sse-conformance run --json`: {why}")
    })?;
    if let Some(path) = &options.svg {
        Output::create(path)?.write(&badge.to_svg())?;
    }
    if let Some(path) = &options.endpoint {
        Output::create(path)?.write(&badge.to_endpoint().to_string())?;
    }
    print(&badge.to_markdown(options.svg.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

/// The selected cases, in the order of the corpus; all if no selection was made.
fn select(Selection { only }: &Selection) -> Result<Vec<&'static Case>, String> {
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

/// A file to write, under its name for messages.
struct Output<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> Output<'p> {
    fn create(path: &'p Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|why| about(path, why))?;
        Ok(Self { path, file })
    }

    /// Writes the text, and LF.
    fn write(mut self, text: &str) -> Result<(), String> {
        writeln!(self.file, "{text}").map_err(|why| about(self.path, why))
    }
}

/// Whether two of the paths lead to the same file, which may not exist yet.
fn any_same_file<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> bool {
    let mut files = BTreeSet::new();
    !paths.into_iter().all(|path| files.insert(resolved(path)))
}

/// The same for each spelling of a path.
fn resolved(path: &Path) -> PathBuf {
    let of_new_file = || {
        let path = std::path::absolute(path).ok()?;
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    let existing = path.canonicalize().ok();
    existing
        .or_else(of_new_file)
        .unwrap_or_else(|| path.to_owned())
}

fn about(path: &Path, why: io::Error) -> String {
    format!("{}: {why}", path.display())
}

/// Writes to standard output. A closed pipe is not an error.
fn print(text: &str) -> Result<(), String> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {why}"))
        }
        _ => Ok(()),
    }
}
