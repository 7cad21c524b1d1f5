//! The reference implementation passes, each of its mutants is caught, and `MUTANTS.md` lists by
//! which case.

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
    Body, Capabilities, Case, Chunking, Kind, Verdict, cases,
    runner::{self, Options, Report},
};

use super::{answer, mutations, mutations::Mutation};

const KINDS: [Kind; 3] = [Kind::Decode, Kind::Encode, Kind::Connect];
const VERDICTS: [Verdict; 2] = [Verdict::Must, Verdict::May];

/// Cases with longer inputs are only tried on mutations that no other case catches.
const SHORT: usize = 8192;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("the_reference_passes_every_case", the_reference_passes),
        Trial::test(
            "the_table_of_mutants_is_up_to_date",
            the_table_is_up_to_date,
        ),
    ];
    for (kind, name) in mutations::ALLOWED {
        trials.push(Trial::test(format!("allowed::{kind}::{name}"), move || {
            is_allowed(kind, name)
        }));
    }
    for kind in KINDS {
        for (name, _) in mutations::of(kind, Verdict::Must) {
            trials.push(Trial::test(format!("mutant::{kind}::{name}"), move || {
                is_caught(kind, name)
            }));
        }
        for (name, _) in mutations::of(kind, Verdict::May) {
            trials.push(Trial::test(
                format!("deviation::{kind}::{name}"),
                move || {
                    is_no_violation(kind, name)?;
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

/// The first case of the table catches the mutant in a run as well.
fn is_caught(kind: Kind, name: &'static str) -> Result<(), Failed> {
    let Some(mutant) = MUTANTS
        .iter()
        .find(|mutant| mutant.kind == kind && mutant.name == name)
    else {
        return Err("it is not among the mutants".into());
    };
    let Some(first) = mutant.first else {
        return Err("no case catches it".into());
    };
    let report = run(&["adapter", &format!("{kind}/{name}")], &[first])?;
    let totals = report.totals;
    let is_caught = totals.must.failed + totals.may.failed > 0;
    if !is_caught || !report.protocol_errors.is_empty() || report.broken_off.is_some() {
        return Err(format!("the run of {} does not catch it\n{report}", first.id).into());
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

/// With the mutation, every `must` case passes. Inputs that are cut in two are left out: there are
/// too many of them for each mutation.
fn is_no_violation(kind: Kind, name: &'static str) -> Result<(), Failed> {
    let must = cases()
        .iter()
        .filter(|case| case.kind == kind && case.verdict == Verdict::Must && is_short(case));
    for case in must {
        let variants = case.variants(&Capabilities::all());
        for variant in variants.filter(|variant| !matches!(variant.chunking, Chunking::Cut(_))) {
            let mutation = Some((kind, Mutation::named(name)));
            if let Err(mismatch) = variant.check(&answer(&variant.request, mutation)) {
                return Err(format!("{} fails, {variant}: {mismatch}", case.id).into());
            }
        }
    }
    Ok(())
}

/// Runs the cases against this program as an adapter, with these arguments.
pub(crate) fn run(arguments: &[&str], cases: &[&Case]) -> Result<Report, Failed> {
    let program = std::env::current_exe()?;
    let mut command = vec![program.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    let mut options = Options::new(command);
    // None of them hangs, but the machine may be busy.
    options.timeout = Duration::from_secs(120);
    options.startup = options.timeout;
    Ok(runner::run(&options, cases, &mut |_| ())?)
}

/// A mutation, and the cases that catch it.
struct Mutant {
    kind: Kind,
    /// The verdict of the cases that must catch it.
    verdict: Verdict,
    name: &'static str,
    seen_in: &'static str,
    /// The number of cases that catch it.
    count: usize,
    /// The first of them.
    first: Option<&'static Case>,
    /// Whether they catch it as written. If not, they catch it when they are cut, joined or
    /// rewritten.
    as_written: bool,
}

static MUTANTS: LazyLock<Vec<Mutant>> = LazyLock::new(|| {
    let mutations = KINDS
        .into_iter()
        .flat_map(|kind| VERDICTS.map(|verdict| (kind, verdict)))
        .flat_map(|(kind, verdict)| {
            let mutations = mutations::of(kind, verdict).iter();
            mutations.map(move |mutation| (kind, verdict, mutation))
        });
    let left = Mutex::new(mutations.collect::<Vec<_>>().into_iter().enumerate());
    let tried = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((index, (kind, verdict, (name, seen_in)))) = next else {
                        return;
                    };
                    let mutant = Mutant::try_cases(kind, verdict, name, seen_in);
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
    fn try_cases(kind: Kind, verdict: Verdict, name: &'static str, seen_in: &'static str) -> Self {
        let candidates = || {
            let cases = cases().iter();
            cases.filter(move |case| case.kind == kind && case.verdict == verdict)
        };
        let caught = |case: &&Case, as_written: bool| {
            // The first variant is as written.
            let variants = case.variants(&Capabilities::all());
            let mut variants = variants.take(if as_written { 1 } else { usize::MAX });
            let mutation = Some((kind, Mutation::named(name)));
            variants.any(|variant| variant.check(&answer(&variant.request, mutation)).is_err())
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
            seen_in,
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

fn the_table_is_up_to_date() -> Result<(), Failed> {
    let mut text = String::from(HEAD);
    for (kind, verdict, title) in [
        (Kind::Decode, Verdict::Must, "Broken decoders"),
        (Kind::Encode, Verdict::Must, "Broken encoders"),
        (Kind::Connect, Verdict::Must, "Broken clients"),
        (
            Kind::Decode,
            Verdict::May,
            "Decoders that deviate where the standard is open",
        ),
        (
            Kind::Connect,
            Verdict::May,
            "Clients that deviate where the standard is open",
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
            Verdict::Must => "bug",
            Verdict::May => "deviation",
        };
        writeln!(text, "| {what} | seen in | cases | first case |")?;
        text += "|---|---|---|---|\n";
        for Mutant {
            name,
            seen_in,
            count,
            first,
            as_written,
            ..
        } in of_kind()
        {
            let mark = if *as_written { "" } else { " (*)" };
            let first = first.map_or_else(|| "none".to_owned(), |case| format!("`{}`", case.id));
            writeln!(text, "| {name} | {seen_in} | {count}{mark} | {first} |")?;
        }
    }
    let missed = MUTANTS.iter().filter(|mutant| mutant.first.is_none());
    let missed: Vec<&str> = missed.map(|mutant| mutant.name).collect();
    if !missed.is_empty() {
        return Err(format!("no case catches {}", missed.join(", ")).into());
    }
    is_up_to_date("MUTANTS.md", &text)
}

/// Checks the content of a file, or writes it if the environment variable `WRITE` is set.
fn is_up_to_date(name: &str, text: &str) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WRITE").is_some() {
        fs::write(path, text)?;
    } else if fs::read_to_string(path)? != text {
        return Err(format!(
            "{name} is out of date: WRITE=1 cargo test -p sse-conformance writes it"
        )
        .into());
    }
    Ok(())
}

const HEAD: &str = "\
# The bugs that the corpus catches

These tables measure how complete the corpus is. The reference implementation of the tests
(`tests/adapters/`), which is simple rather than fast, has a switch for each bug below. Without any bug it
passes every case; with any one of them it fails at least one `must` case. The last two tables have
deviations that are not violations: with any one of them the reference implementation passes every `must`
case and differs in at least one `may` case. This file is written by
`WRITE=1 cargo test -p sse-conformance --test adapters`, and a test keeps it up to date.

*Seen in* lists implementations in which the bug is known to have occurred: in the given version, or as
described in the given issue and fixed since. Where a bug stops a program or lets something past a check,
nobody is named. *Cases* is the number of `must` cases (`may` cases in the last two tables) that fail as
written, not counting inputs of more than 8 KiB. (*) means that no case fails as written, and the number is
that of cases that fail in any variant.
";
