//! The committed results and the page of common mistakes: if an implementation crashes, hangs or
//! takes too long, or something gets past one of its checks, neither names the case that does it.
//! `adapters/rows.py` ensures this for results that it writes; this test checks what is here.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use sse_conformance::cases;

/// What the reports have as the failure of an implementation that gives no answer.
const STOPS: [&str; 4] = [
    "no answer: ",
    "the adapter exited",
    "the adapter closed its output",
    "panicked",
];

/// How the bugs begin that have no cases.
const STOPPING: [&str; 2] = ["It crashes", "It takes too long"];

/// In a row of `docs/mistakes.md`, words that tell of a crash, a hang or a check that is passed.
const GRAVE: [&str; 12] = [
    "panic",
    "crash",
    "hang",
    "endless",
    "quadratic",
    "too long",
    "memory",
    "injection",
    "bypass",
    "mute",
    "unchecked",
    "GHSA-",
];

#[test]
fn the_page_of_results_names_no_case_that_stops_an_implementation() {
    let Some(page) = read("results.html") else {
        return;
    };
    let data = page
        .split_once(r#"<script type="application/json" id="data">"#)
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let data: Value = serde_json::from_str(data.expect("the page has its data").0).unwrap();
    let implementations = data["implementations"].as_array().unwrap();
    assert!(implementations.len() > 20);
    for row in implementations {
        let unnamed = row["unnamed"].as_object().unwrap();
        // Exact numbers would tell which of the long inputs were run, and in which variants.
        let exact = row["requests"].is_number() || row["gaveUp"].is_number();
        assert!(unnamed.is_empty() || !exact, "{}", row["key"]);
        for (id, outcome) in row["outcomes"].as_object().unwrap() {
            let text = outcome.to_string();
            for sign in STOPS {
                assert!(!text.contains(sign), "{} {id}: {sign}", row["key"]);
            }
            for bug in STOPPING {
                let fault = outcome["fault"].as_str().unwrap_or_default();
                assert!(!fault.starts_with(bug), "{} {id}", row["key"]);
            }
            // Otherwise, the case could be found by elimination.
            let group = data["cases"][id]["group"].as_str().unwrap();
            assert!(!unnamed.contains_key(group), "{} {id}", row["key"]);
        }
    }
    for bug in STOPPING {
        let mut all = implementations.iter().flat_map(bugs_of);
        assert!(all.any(|seen| seen.starts_with(bug)), "{bug}");
    }

    let text = read("RESULTS.md").unwrap();
    let ids: BTreeSet<&str> = cases().iter().map(|case| case.id.as_str()).collect();
    for line in text.lines().filter(|line| !line.contains("seen in")) {
        if STOPPING.iter().any(|bug| line.contains(bug)) {
            let named = line.split('`').find(|part| ids.contains(part));
            assert_eq!(named, None, "{line}");
        }
    }
}

#[test]
fn the_page_of_mistakes_names_cases_that_exist_and_none_that_stops_an_implementation() {
    let Some(page) = read("../docs/mistakes.md") else {
        return;
    };
    let ids: BTreeSet<&str> = cases().iter().map(|case| case.id.as_str()).collect();
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let case = row
            .trim_end_matches([' ', '|'])
            .rsplit(" | ")
            .next()
            .unwrap();
        let Some(case) = case
            .strip_prefix('`')
            .and_then(|case| case.strip_suffix('`'))
        else {
            continue;
        };
        assert!(ids.contains(case), "no case {case}: {row}");
        let who = row.split(" | ").nth(1).unwrap();
        for word in GRAVE {
            assert!(who == "–" || !row.contains(word), "{word}: {row}");
        }
        named += 1;
    }
    assert!(named > 20);
}

/// The bugs of an implementation in groups whose cases are not listed.
fn bugs_of(row: &Value) -> impl Iterator<Item = &str> {
    let groups = row["unnamed"].as_object().unwrap().values();
    let bugs = groups.flat_map(|group| group["bugs"].as_array().unwrap());
    bugs.map(|bug| bug.as_str().unwrap())
}

/// A file of the repository; not all of them are in the published package.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}
