//! What the program makes of a report for other programs: JUnit XML, and badges.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use libtest_mimic::{Failed, Trial};
use roxmltree::{Document, Node};
use serde_json::{Value, json};

use super::{
    cli::{has, run, sse_conformance},
    misbehaving::{VICTIM, odd_text},
};

type Test = fn(&Path) -> Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, Test); 7] = [
        ("junit_has_the_outcomes_of_the_json", outcomes),
        ("junit_has_errors_of_the_adapter", errors),
        ("junit_is_red_if_and_only_if_the_run_fails", red),
        ("junit_holds_any_text", any_text),
        ("a_badge_never_claims_more_than_was_run", claims),
        ("a_badge_is_an_svg_image_with_a_title", svg),
        ("a_badge_needs_a_report", no_report),
    ];
    let trial = |(name, test): (&str, Test)| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        Trial::test(format!("exports::{name}"), move || {
            fs::create_dir_all(&folder)?;
            test(&folder)
        })
    };
    trials.into_iter().map(trial).collect()
}

/// Runs the program with both files, and returns the JSON, the XML and the printed text.
fn reports(
    folder: &Path,
    options: &[&str],
    adapter: &[&str],
    status: i32,
) -> Result<(Value, String, String), Failed> {
    let (json, xml) = (folder.join("report.json"), folder.join("report.xml"));
    let json_option = format!("--json={}", utf8(&json)?);
    let files = [&*json_option, "--junit", utf8(&xml)?];
    let (text, _) = run(&[options, &files].concat(), adapter, status)?;
    let report = serde_json::from_slice(&fs::read(json)?)?;
    Ok((report, fs::read_to_string(xml)?, text))
}

fn utf8(path: &Path) -> Result<&str, Failed> {
    Ok(path.to_str().ok_or("the path is not UTF-8")?)
}

fn elements<'a, 'x>(node: Node<'a, 'x>, name: &str) -> Vec<Node<'a, 'x>> {
    let elements = node.children().filter(|child| child.has_tag_name(name));
    elements.collect()
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, Failed> {
    let value = node.attribute(name);
    Ok(value.ok_or_else(|| format!("{name} is missing in {node:?}"))?)
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

#[track_caller]
fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    got: T,
    expected: U,
    what: impl std::fmt::Display,
) -> Result<(), Failed> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: {got:?}, not {expected:?}").into())
    }
}

fn outcomes(folder: &Path) -> Result<(), Failed> {
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

fn errors(folder: &Path) -> Result<(), Failed> {
    let only = ["--only", "decode/data"];
    let hasty = ["--timeout", "1", "--startup", "3"];
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
            same(seconds >= 1.0, hung, "the time")?;
        }
    }
    Ok(())
}

fn red(folder: &Path) -> Result<(), Failed> {
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

fn any_text(folder: &Path) -> Result<(), Failed> {
    let (report, xml, _) = reports(
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

    let (markdown, image) = badge(folder, &report)?;
    has(&markdown, "![text/event-stream: 0 of 1, ")?;
    has(&title_of(&image)?, r"\u{fffe}\u{ffff}")
}

/// The Markdown and the image for a report.
fn badge(folder: &Path, report: &Value) -> Result<(String, String), Failed> {
    let (json, svg) = (folder.join("report.json"), folder.join("badge (1).svg"));
    fs::write(&json, serde_json::to_vec(report)?)?;
    let output = sse_conformance(&["badge", utf8(&json)?, "--svg", utf8(&svg)?])?;
    same(output.status.code(), Some(0), "the status")?;
    Ok((String::from_utf8(output.stdout)?, fs::read_to_string(svg)?))
}

fn title_of(image: &str) -> Result<String, Failed> {
    let document = Document::parse(image)?;
    let titles = elements(document.root_element(), "title");
    Ok(titles
        .first()
        .and_then(Node::text)
        .ok_or("no title")?
        .to_owned())
}

fn claims(folder: &Path) -> Result<(), Failed> {
    let (part, ..) = reports(folder, &["--only", "bom"], &["adapter"], 0)?;
    let in_corpus = sse_conformance::cases().iter();
    let must = in_corpus
        .filter(|case| case.verdict == sse_conformance::Verdict::Must)
        .count();
    same(&part["corpus"]["must"], must, "the size of the corpus")?;
    let rest = must - 34;

    let lacks = ["--only", "bom", "--without", "decode"];
    let (nothing, ..) = reports(folder, &lacks, &["adapter"], 1)?;
    let with = |changes: &[(&str, Value)]| {
        let mut report = part.clone();
        for (pointer, value) in changes {
            *report.pointer_mut(pointer).expect("it is there") = value.clone();
        }
        report
    };
    let failed = |passed: u32, failed: u32| {
        with(&[
            ("/passed", json!(false)),
            ("/totals/must/passed", passed.into()),
            ("/totals/must/failed", failed.into()),
            ("/corpus/must", 1000.into()),
        ])
    };
    let whole = with(&[("/corpus/must", 34.into())]);
    let aborted = with(&[("/passed", json!(false)), ("/brokenOff", "it hangs".into())]);
    let untidy = with(&[("/passed", json!(false))]);
    for (report, message, color) in [
        (&whole, "34 of 34".to_owned(), "green"),
        (&part, format!("34 of 34, {rest} not tested"), "green"),
        (&nothing, format!("0 of 0, {must} not tested"), "lightgrey"),
        (
            &aborted,
            format!("34 of 34, {rest} not tested"),
            "lightgrey",
        ),
        (&untidy, format!("34 of 34, {rest} not tested"), "orange"),
        (&failed(900, 100), "900 of 1000".to_owned(), "orange"),
        (&failed(899, 101), "899 of 1000".to_owned(), "red"),
        (
            &failed(89, 10),
            "89 of 99, 901 not tested".to_owned(),
            "red",
        ),
    ] {
        let path = folder.join("report.json");
        fs::write(&path, serde_json::to_vec(report)?)?;
        let endpoint = folder.join("endpoint.json");
        let output = sse_conformance(&["badge", utf8(&path)?, "--endpoint", utf8(&endpoint)?])?;
        let endpoint: Value = serde_json::from_slice(&fs::read(endpoint)?)?;
        let expected = json!({
            "schemaVersion": 1, "label": "text/event-stream", "message": message, "color": color,
        });
        same(endpoint, expected, "the endpoint")?;
        let encoded = message.replace(' ', "%20").replace(',', "%2C");
        let url = format!("https://img.shields.io/badge/text%2Fevent--stream-{encoded}-{color}");
        let markdown = format!("![text/event-stream: {message}]({url})\n");
        same(String::from_utf8(output.stdout)?, markdown, "the Markdown")?;
    }
    Ok(())
}

fn svg(folder: &Path) -> Result<(), Failed> {
    let (report, ..) = reports(folder, &["--only", "bom"], &["adapter"], 0)?;
    let (markdown, image) = badge(folder, &report)?;
    // Brackets and blanks would end the URL.
    has(&markdown, "/badge%20%281%29.svg)\n")?;
    same(markdown.lines().count(), 1, "lines")?;
    has(
        &title_of(&image)?,
        "reference 0 passes 34 of the 34 `must` cases",
    )?;

    let document = Document::parse(&image)?;
    let root = document.root_element();
    let namespace = Some("http://www.w3.org/2000/svg");
    same(root.tag_name().namespace(), namespace, "the namespace")?;
    let title = elements(root, "title")[0];
    same(
        root.attribute("aria-labelledby"),
        title.attribute("id"),
        "the title",
    )?;
    let texts: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .collect();
    let texts: Vec<_> = texts.iter().filter_map(Node::text).collect();
    same(texts.len(), 2, "texts")?;
    has(texts[1], "34 of 34, ")?;
    let resources = ["href", "src", "url(", "<script", "<style", "@import"];
    for resource in resources {
        same(image.contains(resource), false, resource)?;
    }
    Ok(())
}

fn no_report(folder: &Path) -> Result<(), Failed> {
    let missing = folder.join("missing.json");
    let empty = folder.join("empty.json");
    fs::write(&empty, "{}")?;
    let svg: PathBuf = folder.join("badge.svg");
    for (path, message) in [(&missing, "missing.json: "), (&empty, "is not a report of")] {
        let output = sse_conformance(&["badge", utf8(path)?, "--svg", utf8(&svg)?])?;
        has(&String::from_utf8(output.stderr)?, message)?;
        same(output.status.code(), Some(2), message)?;
    }
    // Nothing was written.
    let written = fs::read(svg).map_err(|why| why.kind()).err();
    same(written, Some(io::ErrorKind::NotFound), "the image")
}
