//! Adapters that do anything but answer, and what the runner makes of them: it names the request that cannot be answered, goes on
//! with the next case, and never waits for long.

use std::{
    io::{self, BufRead, BufReader, Write},
    process,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use sse_conformance::{
    Answer, Body, Capabilities, Case, Request, adapter, cases,
    runner::{self, Options, Outcome, Report},
};

use super::answer;

/// How long an answer may take here. The wicked ones take for ever, so short is as good as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those that are waited for.
const WAITED_FOR: [&str; 9] = [
    "hangs",
    "hangs-in-the-middle-of-a-line",
    "is-late",
    "does-not-end",
    "never-answers",
    "never-flushes",
    "closes-its-output",
    "starts-slowly",
    "ignores-unknown-kinds",
];

/// The case that some cannot stand.
const VICTIM: &str = "data-done-marker";

/// What the runner has to make of an adapter.
struct Due {
    /// What [`VICTIM`] fails for, if it fails: no other case does.
    victim: Option<&'static str>,
    /// The troubles that are reported.
    troubles: &'static [&'static str],
    /// The beginning of why it is broken off.
    broken_off: Option<&'static str>,
    /// How many notes there are.
    notes: usize,
    /// What the report says somewhere.
    says: &'static str,
}

/// Nothing but what is right.
const RIGHT: Due = Due {
    victim: None,
    troubles: &[],
    broken_off: None,
    notes: 0,
    says: "passed",
};

fn victim(what: &'static str, says: &'static str) -> Due {
    Due {
        victim: Some(what),
        says,
        ..RIGHT
    }
}

fn trouble(troubles: &'static [&'static str], says: &'static str) -> Due {
    Due {
        troubles,
        says,
        ..RIGHT
    }
}

/// One that does not even greet.
fn given_up(says: &'static str) -> Due {
    Due {
        broken_off: Some("it never answered"),
        notes: 1,
        says,
        ..RIGHT
    }
}

fn noted(says: &'static str) -> Due {
    Due {
        notes: 1,
        says,
        ..RIGHT
    }
}

fn all() -> Vec<(&'static str, Due)> {
    vec![
        // One request that it cannot stand.
        ("hangs", victim("hang", "nothing for 1s")),
        ("spins-and-floods", victim("nonsense", "bytes in one line")),
        ("exits", victim("exit", "exit status: 3")),
        ("exits-with-a-complaint", victim("exit", "out of cheese")),
        (
            "exits-in-the-middle-of-a-line",
            victim("exit", "in the middle of an answer: {\"case"),
        ),
        (
            "hangs-in-the-middle-of-a-line",
            victim("hang", "nothing for"),
        ),
        ("exits-in-peace", victim("exit", "exit status: 0")),
        ("writes-nonsense", victim("nonsense", "no JSON object")),
        ("writes-a-list", victim("nonsense", "[1]")),
        ("writes-a-blank-line", victim("nonsense", "no JSON object")),
        (
            "answers-another",
            victim("out-of-order", "the answer says 123456789"),
        ),
        (
            "answers-without-a-number",
            victim("out-of-order", "the answer says none"),
        ),
        ("says-why-not", victim("answer", "not today")),
        (
            "writes-an-unknown-item",
            victim("answer", "chunks[0][0]: {\\\"event\\\":null}"),
        ),
        ("panics", victim("answer", "panicked: oh no")),
        ("is-late", RIGHT),
        // Something else that it does wrong.
        (
            "swaps-answers",
            trouble(&["out-of-order"], "does not answer what is asked ahead"),
        ),
        ("exits-now-and-then", trouble(&["exit"], "exit status: 0")),
        ("ends-badly", trouble(&["bad-end"], "exit status: 7")),
        ("does-not-end", trouble(&["bad-end"], "did not end")),
        (
            "goes-on-at-the-end",
            trouble(&["bad-end"], "one more thing"),
        ),
        (
            "answers-twice",
            Due {
                broken_off: Some("it was started 101 times"),
                ..trouble(&["out-of-order"], "an answer out of order")
            },
        ),
        ("never-answers", given_up("nothing for")),
        ("never-flushes", given_up("is every answer flushed?")),
        ("never-starts", given_up("exit status: 9")),
        ("miscounts", given_up("an answer out of order")),
        ("chats", given_up("no JSON object")),
        (
            "closes-its-output",
            given_up("closed its output, but did not end"),
        ),
        // Nothing of that is wrong.
        ("starts-slowly", RIGHT),
        ("writes-in-pieces", RIGHT),
        (
            "has-new-capabilities",
            noted("no capability is named \"telepathy\""),
        ),
        ("dies-of-unknown-kinds", noted("of the unknown kind")),
        ("ignores-unknown-kinds", noted("of the unknown kind")),
        ("refuses-unknown-kinds", RIGHT),
    ]
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = all()
        .into_iter()
        .map(|(how, due)| Trial::test(format!("wicked::{how}"), move || is_found_out(how, &due)))
        .collect();
    trials.push(Trial::test(
        "wicked::what_it_started_ends_with_it",
        nothing_is_left_behind,
    ));
    trials.push(Trial::test(
        "wicked::kinds_that_are_not_served_are_skipped",
        other_kinds_are_skipped,
    ));
    trials.push(Trial::test(
        "wicked::nothing_asked_is_not_passed",
        nothing_asked_is_not_passed,
    ));
    trials
}

fn is_found_out(how: &'static str, due: &Due) -> Result<(), Failed> {
    let cases: Vec<&Case> = cases()
        .iter()
        .filter(|case| case.group == "data" && in_decode(case))
        .collect();
    let begun = Instant::now();
    let report = run(&["wicked", how], &cases)?;
    let took = begun.elapsed();
    let text = format!("{report}\n{}", serde_json::to_string(&report)?);
    let check = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(Failed::from(format!("{what}\n{text}")))
        }
    };

    let is_right = due.victim.is_none() && due.troubles.is_empty() && due.broken_off.is_none();
    check(report.passed() == is_right, "passed")?;
    check(text.contains(due.says), "what it says")?;
    check(report.notes.len() == due.notes, "notes")?;
    let troubles: Vec<&str> = report.troubles.iter().map(|trouble| trouble.what).collect();
    check(troubles == due.troubles, "troubles")?;
    match (due.broken_off, &report.broken_off) {
        (Some(due), Some(why)) => check(why.starts_with(due), "why it was broken off")?,
        (due, why) => check(due.is_none() && why.is_none(), "whether it was broken off")?,
    }
    if due.broken_off.is_none() {
        for case in &report.cases {
            let failed = case.id == VICTIM && due.victim.is_some();
            let outcome = if failed {
                Outcome::Failed
            } else {
                Outcome::Passed
            };
            check(case.outcome == outcome, &case.id)?;
            if failed {
                check(
                    case.failure.as_ref().map(|failure| failure.what) == due.victim,
                    "what is wrong",
                )?;
            }
        }
    }
    // The slowest waits for a greeting and twice for an answer; the rest is patience with a busy machine.
    check(took < Duration::from_secs(60), "how long it took")
}

fn in_decode(case: &Case) -> bool {
    matches!(case.body, Body::Decode(_))
}

fn run(arguments: &[&str], cases: &[&Case]) -> Result<Report, Failed> {
    let mut command = vec![std::env::current_exe()?.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    let mut options = Options::new(command);
    // Who answers gets all the time that a busy machine may need.
    if arguments.iter().any(|how| WAITED_FOR.contains(how)) {
        options.timeout = PATIENCE;
        options.startup = PATIENCE * 3;
    }
    Ok(runner::run(&options, cases, &mut |_| ())?)
}

#[cfg(unix)]
fn nothing_is_left_behind() -> Result<(), Failed> {
    // A name that nobody else waits under.
    let seconds = format!("86399.{}", process::id());
    let script = format!("sleep {seconds} & read line; sleep {seconds}");
    let mut options = Options::new(["sh", "-c", &script]);
    (options.timeout, options.startup) = (PATIENCE, PATIENCE);
    let report = runner::run(&options, &[&cases()[0]], &mut |_| ())?;
    if report.passed() {
        return Err("it does not answer".into());
    }
    let sleeps = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let commands =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        commands
            .into_iter()
            .any(|command| String::from_utf8_lossy(&command).contains(&seconds))
    };
    // To be killed takes a moment.
    let begun = Instant::now();
    while sleeps() {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err("it still sleeps".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(not(unix))]
fn nothing_is_left_behind() -> Result<(), Failed> {
    Ok(())
}

fn other_kinds_are_skipped() -> Result<(), Failed> {
    let of_three = ["data-empty", "encode-data-empty", "connect-first-request"];
    let cases = cases().iter().filter(|case| of_three.contains(&&*case.id));
    let report = run(&["wicked", "decodes-only"], &cases.collect::<Vec<_>>())?;
    let outcomes: Vec<Outcome> = report.cases.iter().map(|case| case.outcome).collect();
    let due = [Outcome::Passed, Outcome::Skipped, Outcome::Skipped];
    if report.passed() && outcomes == due {
        Ok(())
    } else {
        Err(report.to_string().into())
    }
}

fn nothing_asked_is_not_passed() -> Result<(), Failed> {
    let cases = cases().iter().filter(|case| !in_decode(case));
    let report = run(&["wicked", "decodes-only"], &cases.collect::<Vec<_>>())?;
    if report.passed() || report.totals.must.passed > 0 {
        Err(report.to_string().into())
    } else {
        Ok(())
    }
}

// What follows runs in the adapter.

static VICTIMS_INPUT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let case = cases().iter().find(|case| case.id == VICTIM);
    match &case.expect("it is there").body {
        Body::Decode(decode) => decode.input(),
        _ => unreachable!("it is for decoders"),
    }
});

pub(crate) fn serve(how: &str) {
    let mut input = BufReader::new(io::stdin().lock());
    if how == "never-starts" {
        process::exit(9);
    }
    if how == "starts-slowly" {
        thread::sleep(PATIENCE * 2);
    }
    #[cfg(unix)]
    if how == "closes-its-output" {
        // A shell can do that, and takes this program's place.
        let mut shell = process::Command::new("sh");
        shell.args(["-c", "exec 1>&-; sleep 60"]);
        panic!("{}", std::os::unix::process::CommandExt::exec(&mut shell));
    }
    let mut output = io::stdout().lock();
    let mut held: Option<Vec<u8>> = None;
    let mut served = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .read_until(b'\n', &mut line)
            .expect("standard input can be read")
            == 0
        {
            break;
        }
        served += 1;
        let is_greeting = contains(&line, b"\"capabilities\"");
        let is_victim = is_victims(&line);
        let right = right(&line, how);
        let number = number(&line);
        let mut say = |bytes: &[u8]| {
            // Whoever listens no more has heard enough.
            if output
                .write_all(bytes)
                .and_then(|()| output.flush())
                .is_err()
            {
                process::exit(0);
            }
        };
        match how {
            "hangs" if is_victim => sleep(),
            "spins-and-floods" if is_victim => loop {
                say(&[b'x'; 1 << 16]);
            },
            "exits" if is_victim => process::exit(3),
            "exits-in-peace" if is_victim => process::exit(0),
            "exits-with-a-complaint" if is_victim => {
                eprintln!("out of cheese");
                process::exit(1);
            }
            "exits-in-the-middle-of-a-line" if is_victim => {
                say(&right[..right.len() / 2]);
                process::exit(0);
            }
            "hangs-in-the-middle-of-a-line" if is_victim => {
                say(&right[..right.len() / 2]);
                sleep();
            }
            "writes-nonsense" if is_victim => say(b"Segmentation fault\n"),
            "writes-a-list" if is_victim => say(b"[1]\n"),
            "writes-a-blank-line" if is_victim => say(&[b"\n", &right[..]].concat()),
            "answers-another" if is_victim => {
                say(b"{\"case\":123456789,\"chunks\":[],\"lastEventId\":\"\"}\n")
            }
            "answers-without-a-number" if is_victim => {
                say(b"{\"chunks\":[],\"lastEventId\":\"\"}\n")
            }
            "writes-an-unknown-item" if is_victim => {
                say(&[
                    number.as_bytes(),
                    b",\"chunks\":[[{\"event\":null}]],\"lastEventId\":\"\"}\n",
                ]
                .concat());
            }
            "is-late" if is_victim => {
                thread::sleep(PATIENCE / 4);
                say(&right);
            }
            "swaps-answers" if !is_greeting => match held.take() {
                Some(before) => say(&[right, before].concat()),
                None if input.buffer().contains(&b'\n') => held = Some(right),
                None => say(&right),
            },
            "exits-now-and-then" if served == 200 => process::exit(0),
            "answers-twice" if !is_greeting => say(&right.repeat(2)),
            "never-answers" => {}
            "never-flushes" => held.get_or_insert_default().extend(right),
            "miscounts" => say(b"{\"case\":123456789,\"chunks\":[],\"lastEventId\":\"\"}\n"),
            "chats" => say(&[b"working on it\n", &right[..]].concat()),
            "writes-in-pieces" => {
                right.chunks(right.len() / 3 + 1).for_each(&mut say);
            }
            "has-new-capabilities" if is_greeting => {
                let known = Capabilities::all();
                let known = serde_json::to_string(&known).expect("names can be written");
                let more = known.replace('[', "[\"telepathy\",");
                say(&[
                    number.as_bytes(),
                    b",\"name\":\"x\",\"capabilities\":",
                    more.as_bytes(),
                    b"}\n",
                ]
                .concat());
            }
            "dies-of-unknown-kinds" if is_greeting => process::exit(1),
            "ignores-unknown-kinds" if is_greeting => {}
            "refuses-unknown-kinds" if is_greeting => {
                say(&[number.as_bytes(), b",\"unsupported\":true}\n"].concat())
            }
            _ => say(&right),
        }
    }
    match how {
        "ends-badly" => process::exit(7),
        "does-not-end" => sleep(),
        "goes-on-at-the-end" => {
            output
                .write_all(b"one more thing\n")
                .expect("somebody listens");
        }
        _ => {}
    }
}

/// The answer that is due, but for those whose closure goes wrong.
fn right(line: &[u8], how: &str) -> Vec<u8> {
    let is_victim = is_victims(line);
    let mut answered = |request: Request| match (how, &request) {
        ("says-why-not", _) if is_victim => Answer::Failed("not today".to_owned()),
        ("panics", _) if is_victim => panic!("oh no"),
        ("decodes-only", Request::Decode(_)) => answer(&request, None),
        ("decodes-only", _) => Answer::Unsupported,
        _ => answer(&request, None),
    };
    adapter::answer_to(line, "wicked", "0", &Capabilities::all(), &mut answered)
}

fn is_victims(line: &[u8]) -> bool {
    let mut found = false;
    let mut looked = |request: Request| {
        if let Request::Decode(request) = request {
            found = request.chunks.concat() == *VICTIMS_INPUT;
        }
        Answer::Unsupported
    };
    adapter::answer_to(line, "", "", &Capabilities::all(), &mut looked);
    found
}

/// The beginning of an answer to `line`.
fn number(line: &[u8]) -> String {
    let request: serde_json::Value = serde_json::from_slice(line).expect("requests are JSON");
    format!("{{\"case\":{}", request["case"])
}

fn sleep() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
