//! The report as JUnit XML.

use std::path::Path;

use libtest_mimic::Failed;
use roxmltree::{Document, Node};
use serde_json::Value;

use super::{attribute, badge, elements, reports, same, title_of};
use crate::{
    cli::has,
    misbehaving::{VICTIM, odd_text},
};

pub(super) fn outcomes(folder: &Path) -> Result<(), Failed> {
    let only = [
        "--only",
        "retry",
        "--only",
        "line-endings",
        "--only",
        "comments",
    ];
    let lacks = ["--without", "comments,final-id"];
    let forgetful = ["adapter", "decode/retry-empty-is-zero"];
    let late = ["adapter", "decode/cr-forgotten-between-chunks"];
    for (adapter, status) in [(forgetful, 0), (late, 1)] {
        let (report, xml, text) = reports(folder, &[&only[..], &lacks].concat(), &adapter, status)?;
        let document = Document::parse(&xml)?;
        let root = document.root_element();
        same(root.tag_name().name(), "testsuites", "the root")?;
        has(attribute(root, "name")?, "reference 0, sse-conformance ")?;
        let counts = [
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ];
        check_counts(root, &counts[..3])?;

        let groups = report["groups"].as_array().ok_or("no groups")?;
        let suites = elements(root, "testsuite");
        same(suites.len(), groups.len(), "suites")?;
        for (suite, group) in suites.iter().zip(groups) {
            let name = format!("{}/{}", group["kind"], group["group"]).replace('"', "");
            same(attribute(*suite, "name")?, &*name, "suite")?;
            check_counts(*suite, &counts)?;
            let failed = group["must"]["failed"].to_string();
            same(attribute(*suite, "failures")?, &*failed, &name)?;
        }

        let tests: Vec<_> = suites
            .iter()
            .flat_map(|suite| elements(*suite, "testcase"))
            .collect();
        let cases = report["cases"].as_array().ok_or("no cases")?;
        same(tests.len(), cases.len(), "cases")?;
        for (test, case) in tests.into_iter().zip(cases) {
            same_outcome(test, case, &text)?;
        }
        has(&xml, "differs (may): ")?;
    }
    Ok(())
}

fn same_outcome(test: Node<'_, '_>, case: &Value, text: &str) -> Result<(), Failed> {
    let id = case["id"].as_str().unwrap_or_default();
    same(attribute(test, "name")?, id, "case")?;
    let seconds: f64 = attribute(test, "time")?.parse()?;
    let exact = case["seconds"].as_f64().ok_or("a case without seconds")?;
    same((seconds - exact).abs() < 0.001, true, id)?;

    let names: Vec<&str> = test
        .children()
        .filter(Node::is_element)
        .map(|child| child.tag_name().name())
        .filter(|name| *name != "system-out")
        .collect();
    let output = elements(test, "system-out");
    let output = output.first().and_then(Node::text).unwrap_or_default();
    let must = case["verdict"] == "must";
    let expected: &[&str] = match case["outcome"].as_str() {
        Some("passed") => &[],
        Some("failed") if must => &["failure"],
        Some("failed" | "skipped") => &["skipped"],
        other => return Err(format!("{id}: {other:?}").into()),
    };
    same(&*names, expected, id)?;
    for capability in case["leftOut"].as_array().into_iter().flatten() {
        has(output, capability.as_str().unwrap_or_default())?;
    }
    let Some(child) = test
        .children()
        .find(|child| !expected.is_empty() && child.has_tag_name(expected[0]))
    else {
        return Ok(());
    };
    let message = attribute(child, "message")?;
    if let Some(capability) = case["skippedFor"].as_str() {
        return same(message, format!("not tested: {capability}"), id);
    }
    for part in ["message", "way"] {
        has(message, case["failure"][part].as_str().unwrap_or_default())?;
    }
    has(message, case["why"].as_str().unwrap_or_default())?;
    // The details are those of the printed text.
    let details = if must {
        child.text().unwrap_or_default()
    } else {
        output
    };
    has(details, &format!(" {id}\n  rule      "))?;
    has(details, "\n  input     ")?;
    let details = details.split("not compared: ").next().unwrap_or_default();
    has(text, details)
}

pub(super) fn errors(folder: &Path) -> Result<(), Failed> {
    let only = ["--only", "decode/data"];
    let hasty = ["--timeout", "3", "--startup", "10"];
    let quick: [&str; 0] = [];
    let swap = [("adapter", "out-of-order", "out-of-order")];
    // The first processes are blamed on the cases that they were started for.
    let aborted = [
        ("decode/data", "data-one-line", "exit"),
        ("decode/data", "data-two-lines", "exit"),
        ("adapter", "aborted", "aborted"),
    ];
    let nothing = [("adapter", "nothing-tested", "nothing-tested")];
    for (how, options, expected) in [
        ("exits", &quick[..], &[("decode/data", VICTIM, "exit")][..]),
        ("hangs", &hasty, &[("decode/data", VICTIM, "hang")]),
        ("panics", &quick, &[("decode/data", VICTIM, "answer")]),
        ("swaps-answers", &quick, &swap),
        ("never-starts", &quick, &aborted),
        ("refuses-unknown-kinds", &["--without", "decode"], &nothing),
    ] {
        let options = [&only, options].concat();
        let (_, xml, _) = reports(folder, &options, &["misbehaving", how], 1)?;
        let document = Document::parse(&xml)?;
        let errors = document
            .descendants()
            .filter(|node| node.has_tag_name("error"));
        let errors = errors.map(|error| {
            let test = error.parent().ok_or("an error outside of a test")?;
            Ok::<_, Failed>((
                attribute(test, "classname")?,
                attribute(test, "name")?,
                attribute(error, "type")?,
            ))
        });
        same(&*errors.collect::<Result<Vec<_>, _>>()?, expected, how)?;
        let hung = expected[0].2 == "hang";
        let tests = document
            .descendants()
            .filter(|node| node.attribute("name") == Some(VICTIM));
        for test in tests {
            // The timeout is part of the time of the case.
            let seconds: f64 = attribute(test, "time")?.parse()?;
            same(seconds >= 3.0, hung, "the time")?;
        }
    }
    Ok(())
}

pub(super) fn red(folder: &Path) -> Result<(), Failed> {
    let fail_fast = ["--only", "line-endings", "--fail-fast"];
    for (options, adapter, status) in [
        (&["--only", "bom"][..], &["adapter"][..], 0),
        (
            &["--only", "retry"],
            &["adapter", "decode/retry-empty-is-zero"],
            0,
        ),
        (
            &fail_fast,
            &["adapter", "decode/cr-forgotten-between-chunks"],
            1,
        ),
        (
            &["--only", "decode/data"],
            &["misbehaving", "ends-badly"],
            1,
        ),
        (
            &["--only", "connect/options"],
            &["misbehaving", "refuses-unknown-kinds"],
            1,
        ),
    ] {
        let (_, xml, _) = reports(folder, options, adapter, status)?;
        let document = Document::parse(&xml)?;
        let is_red =
            |node: Node<'_, '_>| node.has_tag_name("failure") || node.has_tag_name("error");
        same(
            document.descendants().any(is_red),
            status == 1,
            format!("{adapter:?}"),
        )?;
    }
    Ok(())
}

pub(super) fn any_text(folder: &Path) -> Result<(), Failed> {
    let (report, xml, printed) = reports(
        folder,
        &["--only", VICTIM],
        &["misbehaving", "has-odd-texts"],
        1,
    )?;
    same(report["name"].as_str(), Some(&*odd_text()), "the name")?;
    let document = Document::parse(&xml)?;
    let error = document
        .descendants()
        .find(|node| node.has_tag_name("error"));
    let text = error.and_then(|error| error.text()).unwrap_or_default();
    for visible in [
        r"\u{0}",
        r"\u{1b}",
        r"\r",
        r"\u{7f}",
        r"\u{85}",
        r"\u{fffe}\u{ffff}",
        "\u{2028}\u{1F600}<![CDATA[ ]]> &#0; &x; -->",
    ] {
        has(text, visible)?;
        has(attribute(document.root_element(), "name")?, visible)?;
    }
    has(text, "\t")?;

    // A terminal obeys control characters.
    let is_obeyed = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    same(printed.find(is_obeyed), None, "a control character")?;
    let (failure, about) = printed.split_once("must: ").ok_or("no totals")?;
    for part in [failure, about] {
        has(part, r"\u{0}\u{1}")?;
        has(part, r"\u{1b}")?;
    }
    // What the adapter calls itself cannot look like a line of the report.
    has(about, r" two\nlines FAILED: ")?;

    let (markdown, image) = badge(folder, &report)?;
    has(&markdown, "![text/event-stream: 0 of 1, ")?;
    has(&title_of(&image)?, r"\u{fffe}\u{ffff}")
}

/// The counts that a suite, or all of them, must have as attributes.
fn check_counts(node: Node<'_, '_>, names: &[(&str, &str)]) -> Result<(), Failed> {
    for (name, element) in names {
        let is_counted = |node: &Node<'_, '_>| node.has_tag_name(*element);
        let count = node.descendants().filter(is_counted).count().to_string();
        same(attribute(node, name)?, &*count, *name)?;
    }
    Ok(())
}
