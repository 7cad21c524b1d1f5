//! The reference passes, each of its mutants is caught, and `MUTANTS.md` says by what.

use std::{
    fmt::Write,
    fs,
    path::Path,
    sync::{LazyLock, Mutex},
    thread,
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use sse_conformance::{
    Body, Capabilities, Case, Kind, Verdict, cases,
    runner::{self, Options, Report},
};

use super::{answer, faults, faults::Fault};

const KINDS: [Kind; 3] = [Kind::Decode, Kind::Encode, Kind::Connect];
const VERDICTS: [Verdict; 2] = [Verdict::Must, Verdict::May];

/// Inputs longer than this are left to the faults that no other case catches.
const SHORT: usize = 8192;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("the_reference_passes_every_case", the_reference_passes),
        Trial::test("the_table_of_mutants_is_current", the_table_is_current),
    ];
    for (kind, name) in faults::ALLOWED {
        trials.push(Trial::test(format!("allowed::{kind}::{name}"), move || {
            is_allowed(kind, name)
        }));
    }
    for kind in KINDS {
        for (name, _) in faults::of(kind, Verdict::Must) {
            trials.push(Trial::test(format!("mutant::{kind}::{name}"), move || {
                is_caught(kind, name)
            }));
        }
        for (name, _) in faults::of(kind, Verdict::May) {
            trials.push(Trial::test(
                format!("otherwise::{kind}::{name}"),
                move || {
                    is_allowed(kind, name)?;
                    is_caught(kind, name)
                },
            ));
        }
    }
    trials
}

fn the_reference_passes() -> Result<(), Failed> {
    let report = run(&["adapter"], &cases().iter().collect::<Vec<_>>())?;
    let may = report.totals.may;
    if report.passed() && may.failed == 0 && report.restarts == 0 && report.notes.is_empty() {
        Ok(())
    } else {
        Err(report.to_string().into())
    }
}

/// The runner fails the mutant, or sees how it differs, by the case that the table names.
fn is_caught(kind: Kind, name: &'static str) -> Result<(), Failed> {
    let Some(mutant) = MUTANTS
        .iter()
        .find(|mutant| mutant.kind == kind && mutant.name == name)
    else {
        return Err("nobody has tried it".into());
    };
    let Some(first) = mutant.first else {
        return Err("no case catches it".into());
    };
    let report = run(&["adapter", &format!("{kind}/{name}")], &[first])?;
    let totals = report.totals;
    let is_caught = totals.must.failed + totals.may.failed > 0;
    if !is_caught || !report.troubles.is_empty() || report.broken_off.is_some() {
        return Err(format!("{} does not catch it by the runner\n{report}", first.id).into());
    }
    Ok(())
}

fn is_allowed(kind: Kind, name: &'static str) -> Result<(), Failed> {
    let of_kind = cases()
        .iter()
        .filter(|case| case.kind == kind && is_short(case));
    let report = run(
        &["adapter", &format!("{kind}/{name}")],
        &of_kind.collect::<Vec<_>>(),
    )?;
    if report.passed() {
        Ok(())
    } else {
        Err(report.to_string().into())
    }
}

/// Drives this program as an adapter, with these arguments.
pub(crate) fn run(arguments: &[&str], cases: &[&Case]) -> Result<Report, Failed> {
    let program = std::env::current_exe()?;
    let mut command = vec![program.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    let mut options = Options::new(command);
    // None of them hangs, and the machine may be busy.
    options.timeout = Duration::from_secs(120);
    options.startup = options.timeout;
    Ok(runner::run(&options, cases, &mut |_| ())?)
}

/// A fault, and what of the corpus catches it.
struct Mutant {
    kind: Kind,
    /// Of the cases that are to catch it.
    verdict: Verdict,
    name: &'static str,
    seen: &'static str,
    /// How many cases.
    count: usize,
    /// The first of them.
    first: Option<&'static Case>,
    /// Whether they do as written. If not they do only when cut, put together or rewritten.
    as_written: bool,
}

static MUTANTS: LazyLock<Vec<Mutant>> = LazyLock::new(|| {
    let faults = KINDS
        .into_iter()
        .flat_map(|kind| VERDICTS.map(|verdict| (kind, verdict)))
        .flat_map(|(kind, verdict)| {
            let faults = faults::of(kind, verdict).iter();
            faults.map(move |fault| (kind, verdict, fault))
        });
    let left = Mutex::new(faults.collect::<Vec<_>>().into_iter().enumerate());
    let tried = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((index, (kind, verdict, (name, seen)))) = next else {
                        return;
                    };
                    let mutant = Mutant::tried(kind, verdict, name, seen);
                    tried.lock().unwrap().push((index, mutant));
                }
            });
        }
    });
    let mut tried = tried.into_inner().unwrap();
    tried.sort_by_key(|(index, _)| *index);
    tried.into_iter().map(|(_, mutant)| mutant).collect()
});

impl Mutant {
    fn tried(kind: Kind, verdict: Verdict, name: &'static str, seen: &'static str) -> Self {
        let candidates = || {
            let cases = cases().iter();
            cases.filter(move |case| case.kind == kind && case.verdict == verdict)
        };
        let caught = |case: &&Case, as_written: bool| {
            // The first way of all is as the case is written.
            let ways = case.ways(&Capabilities::all());
            let mut ways = ways.take(if as_written { 1 } else { usize::MAX });
            let fault = Some((kind, Fault::named(name)));
            ways.any(|way| way.judge(&answer(&way.request, fault)).is_err())
        };
        let as_written: Vec<&Case> = candidates()
            .filter(|case| is_short(case) && caught(case, true))
            .collect();
        let in_any_way = || candidates().filter(|case| caught(case, false)).collect();
        let caught_as_written = !as_written.is_empty();
        let by: Vec<&Case> = if caught_as_written {
            as_written
        } else {
            in_any_way()
        };
        Self {
            kind,
            verdict,
            name,
            seen,
            count: by.len(),
            first: by.first().copied(),
            as_written: caught_as_written,
        }
    }
}

fn is_short(case: &Case) -> bool {
    match &case.body {
        Body::Decode(decode) => {
            decode
                .steps
                .iter()
                .map(|step| step.bytes.len())
                .sum::<usize>()
                <= SHORT
        }
        Body::Encode(_) | Body::Connect(_) => true,
    }
}

fn the_table_is_current() -> Result<(), Failed> {
    let mut text = String::from(HEAD);
    for (kind, verdict, title) in [
        (Kind::Decode, Verdict::Must, "Broken decoders"),
        (Kind::Encode, Verdict::Must, "Broken encoders"),
        (Kind::Connect, Verdict::Must, "Broken clients"),
        (
            Kind::Connect,
            Verdict::May,
            "Clients that differ where the standard is open",
        ),
    ] {
        let of_kind = || {
            let mutants = MUTANTS.iter();
            mutants.filter(|mutant| mutant.kind == kind && mutant.verdict == verdict)
        };
        let caught = of_kind().filter(|mutant| mutant.first.is_some()).count();
        write!(
            text,
            "\n## {title}: {caught} of {} caught\n\n",
            of_kind().count()
        )?;
        let what = match verdict {
            Verdict::Must => "fault",
            Verdict::May => "difference",
        };
        writeln!(text, "| {what} | seen in | cases | the first of them |")?;
        text += "|---|---|---|---|\n";
        for Mutant {
            name,
            seen,
            count,
            first,
            as_written,
            ..
        } in of_kind()
        {
            let mark = if *as_written { "" } else { " (*)" };
            let first = first.map_or_else(|| "none".to_owned(), |case| format!("`{}`", case.id));
            writeln!(text, "| {name} | {seen} | {count}{mark} | {first} |")?;
        }
    }
    let missed = MUTANTS.iter().filter(|mutant| mutant.first.is_none());
    let missed: Vec<&str> = missed.map(|mutant| mutant.name).collect();
    if !missed.is_empty() {
        return Err(format!("no case catches {}", missed.join(", ")).into());
    }
    is_current("MUTANTS.md", &text)
}

/// Compares a file with what it should be, or writes it if that was asked for.
fn is_current(name: &str, text: &str) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WRITE").is_some() {
        fs::write(path, text)?;
    } else if fs::read_to_string(path)? != text {
        return Err(format!(
            "{name} is not what it should be: WRITE=1 cargo test -p sse-conformance writes it"
        )
        .into());
    }
    Ok(())
}

const HEAD: &str = "\
# The faults that the corpus catches

To see how complete the corpus is, an implementation that is slow and obviously right (`tests/adapters/`) has a switch for each fault
below. Without any it passes everything; with any one of them it fails a `must` case at least. Those of the last table are no violations: with
one of them it passes every `must` case, and differs in a `may` case. This file is written by
`WRITE=1 cargo test -p sse-conformance --test adapters`, and a test keeps it current.

*Seen in* names who has been found with the fault, as far as it is known: in the versions given, or in the issue given and mended since.
*Cases* counts the `must` cases (in the last table the `may` cases) that fail as they are written, those with inputs of more than 8 KiB left out; with (*) there is none such, and the
number is of cases that fail in any way of asking.
";
