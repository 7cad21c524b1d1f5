//! The program from outside: what it prints, where, and with which status it ends.

use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

type Test = fn() -> Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, Test); 8] = [
        ("a_right_adapter_ends_with_0", right),
        ("a_failing_must_case_ends_with_1_and_a_report", failing),
        ("a_failing_may_case_ends_with_0", may),
        ("json_says_the_same", json),
        ("what_is_not_offered_is_not_asked", not_offered),
        ("only_chooses_by_id_flag_group_kind_and_rule", only),
        ("what_cannot_be_run_ends_with_2", cannot_be_run),
        ("list_and_capabilities_need_no_adapter", lists),
    ];
    trials
        .into_iter()
        .map(|(name, test)| Trial::test(format!("cli::{name}"), test))
        .collect()
}

fn sse_conformance(arguments: &[&str]) -> Result<Output, Failed> {
    Ok(Command::new(env!("CARGO_BIN_EXE_sse-conformance"))
        .args(arguments)
        .output()?)
}

/// Runs the adapter with these arguments, and ends with that status.
fn run(options: &[&str], adapter: &[&str], status: i32) -> Result<(String, String), Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the path of this program is text")?;
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
fn has(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) {
        Ok(())
    } else {
        Err(format!("no {part:?} in\n{text}").into())
    }
}

fn right() -> Result<(), Failed> {
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
        "  why       An LF that opens a chunk after a CR belongs to that CR",
    )?;
    has(&out, "  asked     as written\n")?;
    has(
        &out,
        "  input     \"data:a\\r\" | \"\\n\" | \"data:b\\r\" | \"\\n\\r\\n\"\n",
    )?;
    has(&out, "  wrong     other items came out\n")?;
    has(
        &out,
        r#"  expected  [{"data":"a\nb","event":"message","lastEventId":""}]"#,
    )?;
    has(
        &out,
        r#"  got       [{"data":"a","event":"message","lastEventId":""}"#,
    )?;
    has(&out, "; cut in two")?;
    // What fails only when it is cut is shown with its smallest cut: that of the CRLF.
    has(&out, "  asked     cut after 7 bytes")?;
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
    for (pointer, due) in [
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
        if report.pointer(pointer) != Some(&due) {
            return Err(format!("{pointer} is not {due} in\n{out}").into());
        }
    }
    Ok(())
}

fn not_offered() -> Result<(), Failed> {
    let options = [
        "--only",
        "comments",
        "--only",
        "encode/comment",
        "--without",
        "comments",
    ];
    let (out, _) = run(&options, &["adapter", "decode/comments-not-handed-out"], 0)?;
    has(
        &out,
        "not asked: comments (9 cases skipped, left out of the comparison in 17)",
    )?;
    let (out, _) = run(
        &["--only", "bom", "--capabilities", "encode,connect"],
        &["adapter"],
        1,
    )?;
    has(&out, "not asked: decode (34 cases skipped")?;
    // What the standard does not have is asked of those only who name it.
    let silent = ["wicked", "refuses-unknown-kinds"];
    let (out, _) = run(&["--only", "connect/options"], &silent, 1)?;
    has(&out, "not asked: options (27 cases skipped)")?;
    // One who reads a stream in one piece only is asked that way only.
    let (out, _) = run(
        &["--only", "line-endings", "--without", "chunks"],
        &["adapter", "decode/late-by-a-chunk"],
        0,
    )?;
    has(&out, "not asked: chunks")
}

fn only() -> Result<(), Failed> {
    for (names, count) in [
        (&["bom-is-dropped"][..], 1),
        (&["wpt"], 38),
        (&["limits"], 73),
        (&["decode/data"], 25),
        (&["encode"], 108),
        (&["S10"], 2),
        (&["bom-is-dropped", "limits"], 74),
    ] {
        let options: Vec<&str> = names.iter().flat_map(|name| ["--only", name]).collect();
        let output = sse_conformance(&[&["list"], &options[..]].concat())?;
        let lines = String::from_utf8(output.stdout)?.lines().count();
        if lines != count {
            return Err(format!("{names:?} chooses {lines} cases, not {count}").into());
        }
    }
    Ok(())
}

fn cannot_be_run() -> Result<(), Failed> {
    for (arguments, says) in [
        (
            &["run", "--", "/nowhere/at/all"][..],
            "/nowhere/at/all cannot be started",
        ),
        (
            &["run", "--only", "telepathy", "--", "true"],
            "no case is named by \"telepathy\"",
        ),
        (
            &["run", "--without", "telepathy", "--", "true"],
            "no capability is named \"telepathy\"",
        ),
        (&["run", "--timeout", "0", "--", "true"], "more than none"),
        (&["run"], "required"),
    ] {
        let output = sse_conformance(arguments)?;
        let err = String::from_utf8(output.stderr)?;
        has(&err, says)?;
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
        return Err("not all cases".into());
    }
    let out = String::from_utf8(sse_conformance(&["capabilities"])?.stdout)?;
    has(
        &out,
        "fixed-storage  it can work in memory of a fixed length\n",
    )
}
