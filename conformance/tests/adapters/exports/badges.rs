//! Badges.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use libtest_mimic::Failed;
use roxmltree::{Document, Node};
use serde_json::{Value, json};

use super::{badge, elements, reports, same, title_of, utf8};
use crate::cli::{has, sse_conformance};

pub(super) fn claims(folder: &Path) -> Result<(), Failed> {
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
    let in_one_piece = with(&[("/notAsked", json!(["chunks", "retry"]))]);
    // Not what the program writes.
    let contradictory = with(&[("/totals/must/failed", json!(1))]);
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
        (
            &in_one_piece,
            format!("34 of 34, {rest} not tested, not in chunks"),
            "green",
        ),
        (
            &contradictory,
            format!("34 of 35, {} not tested", rest - 1),
            "orange",
        ),
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

pub(super) fn svg(folder: &Path) -> Result<(), Failed> {
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

pub(super) fn no_report(folder: &Path) -> Result<(), Failed> {
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
