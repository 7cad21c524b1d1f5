//! The command-line program: its output and its exit status.

use std::{
    env,
    process::{ChildStdin, Command, Output, Stdio},
};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

type Test = fn() -> Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, Test); 9] = [
        ("a_correct_adapter_exits_with_0", correct),
        ("a_failing_must_case_exits_with_1_and_is_reported", failing),
        ("a_failing_may_case_exits_with_0", may),
        ("the_report_is_available_as_json", json),
        ("missing_capabilities_are_not_tested", missing_capabilities),
        ("only_selects_by_id_flag_group_kind_and_rule", only),
        ("a_run_that_cannot_start_exits_with_2", cannot_start),
        ("list_and_capabilities_need_no_adapter", lists),
        (
            "a_closed_pipe_does_not_change_the_exit_status",
            closed_pipes,
        ),
    ];
    trials
        .into_iter()
        .map(|(name, test)| Trial::test(format!("cli::{name}"), test))
        .collect()
}

pub(crate) fn sse_conformance(arguments: &[&str]) -> Result<Output, Failed> {
    Ok(Command::new(env!("CARGO_BIN_EXE_sse-conformance"))
        .args(arguments)
        .output()?)
}

/// Runs the cases against this program with these arguments, and checks the exit status. Returns
/// both outputs.
pub(crate) fn run(
    options: &[&str],
    adapter: &[&str],
    status: i32,
) -> Result<(String, String), Failed> {
    let program = std::env::current_exe()?;
    let program = program
        .to_str()
        .ok_or("the path of this program is not UTF-8")?;
    let output = sse_conformance(&[&["run"], options, &["--", program], adapter].concat())?;
    let (out, err) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    if output.status.code() == Some(status) {
        Ok((out, err))
    } else {
        Err(format!("{}\n{out}\n{err}", output.status).into())
    }
}

#[track_caller]
pub(crate) fn has(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) {
        Ok(())
    } else {
        Err(format!("{part:?} is missing in\n{text}").into())
    }
}

fn correct() -> Result<(), Failed> {
    let (out, err) = run(&["--only", "bom"], &["adapter"], 0)?;
    has(&out, "reference 0 passed: ")?;
    has(&out, "must: 34 passed, 0 failed, 0 skipped, 0 not run.")?;
    has(&err, "decode/bom")
}

fn failing() -> Result<(), Failed> {
    let (out, _) = run(
        &["--only", "line-endings"],
        &["adapter", "decode/cr-forgotten-between-chunks"],
        1,
    )?;
    has(
        &out,
        "FAILED decode/line-endings crlf-cut-between-cr-and-lf\n",
    )?;
    has(&out, "  rule      P4, P16, HTML 9.2.5\n")?;
    has(
        &out,
        "  why       An LF at the start of a chunk belongs to the CR before it",
    )?;
    has(&out, "  variant   as written\n")?;
    has(
        &out,
        "  input     \"data:a\\r\" | \"\\n\" | \"data:b\\r\" | \"\\n\\r\\n\"\n",
    )?;
    has(&out, "  failure   the items differ\n")?;
    has(
        &out,
        r#"  expected  [{"data":"a\nb","event":"message","lastEventId":""}]"#,
    )?;
    has(
        &out,
        r#"  got       [{"data":"a","event":"message","lastEventId":""}"#,
    )?;
    has(&out, "; cut in two")?;
    // A case that fails only when it is cut is shown with the smallest cut, here inside the CRLF.
    has(&out, "  variant   cut after 7 bytes")?;
    has(&out, "reference 0 FAILED: ")
}

fn may() -> Result<(), Failed> {
    let (out, _) = run(
        &["--only", "retry"],
        &["adapter", "decode/retry-empty-is-zero"],
        0,
    )?;
    has(&out, "differs (may) decode/retry retry-empty")?;
    has(&out, "reference 0 passed: ")
}

fn json() -> Result<(), Failed> {
    let (out, _) = run(
        &["--json", "--only", "crlf-cut-between-cr-and-lf"],
        &["adapter", "decode/cr-forgotten-between-chunks"],
        1,
    )?;
    let report: Value = serde_json::from_str(&out)?;
    for (pointer, expected) in [
        ("/passed", Value::from(false)),
        ("/name", "reference".into()),
        ("/totals/must/failed", 1.into()),
        ("/groups/0/group", "line-endings".into()),
        ("/cases/0/id", "crlf-cut-between-cr-and-lf".into()),
        ("/cases/0/outcome", "failed".into()),
        ("/cases/0/failure/what", "items".into()),
        ("/cases/0/failure/input/1", "\\n".into()),
        ("/cases/0/failure/expected/0/data", "a\nb".into()),
    ] {
        if report.pointer(pointer) != Some(&expected) {
            return Err(format!("{pointer} is not {expected} in\n{out}").into());
        }
    }
    Ok(())
}

fn missing_capabilities() -> Result<(), Failed> {
    let options = [
        "--only",
        "comments",
        "--only",
        "encode/comment",
        "--without",
        "comments",
    ];
    let (out, _) = run(&options, &["adapter", "decode/comments-not-reported"], 0)?;
    has(
        &out,
        "not tested: comments (9 cases skipped, not compared in 17)",
    )?;
    let (out, _) = run(
        &["--only", "bom", "--capabilities", "encode,connect"],
        &["adapter"],
        1,
    )?;
    has(&out, "not tested: decode (34 cases skipped")?;
    // `options` is tested only if the adapter names it.
    let silent = ["misbehaving", "refuses-unknown-kinds"];
    let (out, _) = run(&["--only", "connect/options"], &silent, 1)?;
    has(&out, "not tested: options (27 cases skipped)")?;
    // Without `chunks`, each stream is sent in one chunk.
    let (out, _) = run(
        &["--only", "line-endings", "--without", "chunks"],
        &["adapter", "decode/late-by-a-chunk"],
        0,
    )?;
    has(&out, "not tested: chunks")
}

fn only() -> Result<(), Failed> {
    for (names, count) in [
        (&["bom-is-dropped"][..], 1),
        (&["wpt"], 38),
        (&["limits"], 79),
        (&["decode/data"], 25),
        (&["encode"], 108),
        (&["S10"], 2),
        (&["bom-is-dropped", "limits"], 80),
    ] {
        let options: Vec<&str> = names.iter().flat_map(|name| ["--only", name]).collect();
        let output = sse_conformance(&[&["list"], &options[..]].concat())?;
        let lines = String::from_utf8(output.stdout)?.lines().count();
        if lines != count {
            return Err(format!("{names:?} selects {lines} cases, not {count}").into());
        }
    }
    Ok(())
}

fn cannot_start() -> Result<(), Failed> {
    for (arguments, message) in [
        (
            &["run", "--", "/nowhere/at/all"][..],
            "cannot start /nowhere/at/all",
        ),
        (
            &["run", "--only", "new-name", "--", "true"],
            "\"new-name\" selects no case",
        ),
        (
            &["run", "--without", "new-name", "--", "true"],
            "no capability is named \"new-name\"",
        ),
        (
            &["run", "--timeout", "0", "--", "true"],
            "greater than zero",
        ),
        (
            &["run", "--junit", "/nowhere/at/all.xml", "--", "true"],
            "/nowhere/at/all.xml: ",
        ),
        (
            &["run", "--json=/nowhere/at/all.json", "--", "true"],
            "/nowhere/at/all.json: ",
        ),
        (&["run"], "required"),
    ] {
        let output = sse_conformance(arguments)?;
        let err = String::from_utf8(output.stderr)?;
        has(&err, message)?;
        if output.status.code() != Some(2) || !output.stdout.is_empty() {
            return Err(format!("{arguments:?}: {}", output.status).into());
        }
    }
    Ok(())
}

fn lists() -> Result<(), Failed> {
    let out = String::from_utf8(sse_conformance(&["list", "--only", "bom-is-dropped"])?.stdout)?;
    if out != "must decode/bom bom-is-dropped [P2, U2, Encoding 6] interop\n" {
        return Err(out.into());
    }
    let out = sse_conformance(&["list", "--json"])?.stdout;
    let cases: Vec<Value> = serde_json::from_slice(&out)?;
    if cases.len() != sse_conformance::cases().len()
        || cases[0]["id"] != sse_conformance::cases()[0].id
    {
        return Err("the list is incomplete".into());
    }
    let out = String::from_utf8(sse_conformance(&["capabilities"])?.stdout)?;
    has(&out, "fixed-storage  works in memory of a fixed size\n")
}

fn closed_pipes() -> Result<(), Failed> {
    let program = env::current_exe()?;
    let program = program
        .to_str()
        .ok_or("the path of this program is not UTF-8")?;
    for (arguments, status) in [
        (&["list"][..], 0),
        (&["list", "--json"], 0),
        (&["capabilities"], 0),
        (&["--help"], 0),
        (&["run", "--help"], 0),
        (&["--version"], 0),
        (&["run", "--only", "bom", "--", program, "adapter"], 0),
        (&["run", "--only", "new-name", "--", "true"], 2),
        (&["run", "--", "/nowhere/at/all"], 2),
        (&["run"], 2),
        (&["badge", "/nowhere/at/all"], 2),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sse-conformance"));
        command.args(arguments);
        let output = command.stdout(closed_pipe()?).output()?;
        let err = String::from_utf8(output.stderr)?;
        if output.status.code() != Some(status) || err.contains("panicked") {
            return Err(format!("{arguments:?}: {}\n{err}", output.status).into());
        }
        let without_stderr = command.stdout(Stdio::null()).stderr(closed_pipe()?);
        let got = without_stderr.status()?;
        if got.code() != Some(status) {
            return Err(format!("{arguments:?} without standard error: {got}").into());
        }
    }
    Ok(())
}

/// The end for writing of a pipe that no process reads any more.
fn closed_pipe() -> Result<ChildStdin, Failed> {
    let mut reader = Command::new(env!("CARGO_BIN_EXE_sse-conformance"))
        .arg("capabilities")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let pipe = reader.stdin.take().ok_or("it is piped")?;
    reader.wait()?;
    Ok(pipe)
}
