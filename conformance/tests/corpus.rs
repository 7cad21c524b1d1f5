//! The form of the corpus: what must hold for its files beyond what their types and their schemas say. And `RULES.md`, whose
//! second half lists the cases of each rule: `WRITE=1 cargo test -p sse-conformance --test corpus` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use sse_conformance::{
    Body, Case, Connect, Decode, Encode, End, Failure, Item, Kind, Response, Storage, Verdict,
    cases, flags, groups,
};

/// Between what people write in RULES.md and what this test writes.
const MARK: &str =
    "<!-- What follows is written by `WRITE=1 cargo test -p sse-conformance --test corpus`. -->\n";

/// Rules of which the standard leaves open what would be a violation, or knows nothing: their cases are all `may`.
const OPEN: [&str; 19] = [
    "A3", "A6", "A14", "A16", "A23", "H2", "H3", "S5", "O1", "O2", "O3", "O4", "O5", "O6", "O7",
    "O8", "O9", "O10", "O11",
];

/// Rules that need cases for clients, whatever cases for decoders they have.
const OF_CLIENTS: [&str; 43] = [
    "C1", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "R1", "R2", "R3", "R4", "R5", "R6",
    "R7", "R8", "R9", "H4", "H5", "H6", "H7", "S4", "S7", "S8", "S9", "S10", "I13", "I15", "I16",
    "I21", "U1", "U2", "A1", "A2", "A5", "A7", "A8", "A9", "A10", "A13", "A20", "A22",
];

#[test]
fn every_file_is_built_in() {
    for kind in [Kind::Decode, Kind::Encode, Kind::Connect] {
        let built_in = groups().iter().filter(|group| group.kind == kind);
        let built_in: BTreeSet<String> = built_in
            .map(|group| format!("{}.json", group.name))
            .collect();
        let files = fs::read_dir(root().join(kind.as_str())).unwrap();
        let files: BTreeSet<String> = files
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(built_in, files);
    }
}

#[test]
fn every_case_keeps_to_the_form() {
    let (flags, rules) = (flags(), rules());
    let mut ids = BTreeSet::new();
    for group in groups() {
        assert!(!group.about.is_empty(), "{}", group.name);
        for case in &group.cases {
            let id = &case.id;
            assert!(ids.insert(id), "{id} is there twice");
            assert!(is_kebab_case(id), "{id}");
            let prefix = match case.kind {
                Kind::Decode => "",
                Kind::Encode => "encode-",
                Kind::Connect => "connect-",
            };
            assert!(id.starts_with(prefix), "{id}");
            assert!(case.why.ends_with('.'), "{id}: the reason is a sentence");
            let of_ours = case.rules.iter().filter(|rule| !rule.contains([' ', '-']));
            assert!(of_ours.count() > 0, "{id} cites a rule");
            for rule in &case.rules {
                assert!(rules.contains(rule), "{id}: RULES.md lacks {rule}");
            }
            for flag in &case.flags {
                assert!(flags.contains_key(flag), "{id}: flags.json lacks {flag}");
            }
            match &case.body {
                Body::Decode(decode) => check_decode(case, decode),
                Body::Encode(encode) => check_encode(case, encode),
                Body::Connect(connect) => check_connect(case, connect),
            }
        }
    }
}

fn check_decode(case: &Case, decode: &Decode) {
    let expects =
        |wanted: fn(&Item) -> bool| decode.steps.iter().flat_map(|step| &step.items).any(wanted);
    let comments = expects(|item| matches!(item, Item::Comment { .. }));
    let retries = expects(|item| matches!(item, Item::Retry { .. }));
    check_flags(
        case,
        &[
            ("limit", decode.limit.is_some()),
            ("fixed-storage", decode.storage == Some(Storage::Fixed)),
            ("id-seed", decode.last_event_id.is_some()),
            ("cr", decode.has_cr()),
        ],
    );
    let id = &case.id;
    assert!(
        case.has_flag("comment") || !comments,
        "{id} expects comments"
    );
    assert!(case.has_flag("retry") || !retries, "{id} expects retries");
    assert!(
        !decode.has_cr() || !decode.may_rewrite_line_endings(),
        "{id} is rewritten, though it has a CR"
    );
}

fn check_encode(case: &Case, encode: &Encode) {
    let has = |wanted: fn(&sse_conformance::Frame) -> bool| encode.frames.iter().any(wanted);
    let id = &case.id;
    let comments = has(|frame| frame.comment.is_some());
    let retries = has(|frame| frame.retry.is_some());
    assert!(
        case.has_flag("comment") || !comments,
        "{id} writes comments"
    );
    assert!(case.has_flag("retry") || !retries, "{id} writes retries");
    assert!(
        case.rules.iter().any(|rule| rule.starts_with(['E', 'S'])),
        "{id} cites a rule for encoders"
    );
}

fn check_connect(case: &Case, connect: &Connect) {
    let aborts = |response: &Response| {
        matches!(
            response,
            Response::Failure {
                failure: Failure::Abort
            }
        )
    };
    let waits = connect
        .requests
        .iter()
        .any(|request| request.after_ms.is_some_and(|after| after > 0));
    check_flags(
        case,
        &[
            ("abort", connect.responses.iter().any(aborts)),
            ("close", connect.close_on.is_some()),
            ("cr", connect.has_cr()),
            ("id-seed", connect.last_event_id.is_some()),
            ("delay", waits),
            ("options", connect.options.is_some()),
        ],
    );
    check_options(case, connect);
}

/// Clients without options are asked nothing that only those with options have to know.
fn check_options(case: &Case, connect: &Connect) {
    let id = &case.id;
    let goes_beyond = connect.responses.iter().any(|response| match response {
        Response::Failure { failure } => *failure == Failure::Timeout,
        Response::Response {
            redirects,
            lasts,
            end,
            ..
        } => !redirects.is_empty() || *lasts || *end == End::Timeout,
    });
    let mut requests = connect.requests.iter();
    let asks_more =
        requests.any(|request| request.url.is_some() || !request.without_headers.is_empty());
    let Some(options) = &connect.options else {
        assert!(!goes_beyond && !asks_more, "{id} has no options");
        return;
    };
    assert_eq!(
        case.verdict,
        Verdict::May,
        "{id}: the standard has no options"
    );
    assert_eq!(case.group, "options", "{id}");
    for response in &connect.responses {
        if let Response::Response {
            redirects,
            url,
            lasts,
            ..
        } = response
        {
            assert!(
                url.is_none() || redirects.is_empty(),
                "{id}: two final URLs"
            );
            assert!(!lasts || options.stable_after_ms.is_some(), "{id}: lasts");
        }
    }
}

fn check_flags(case: &Case, due: &[(&str, bool)]) {
    for (flag, due) in due {
        assert_eq!(case.has_flag(flag), *due, "{}: flag {flag}", case.id);
    }
}

#[test]
fn every_flag_is_used() {
    let used: BTreeSet<&String> = cases().iter().flat_map(|case| &case.flags).collect();
    assert!(flags().keys().eq(used), "a flag that no case has");
}

#[test]
fn every_rule_has_a_case_that_must_pass() {
    let by_rule = cases_by_rule();
    assert!(
        by_rule.keys().copied().eq(rules().iter()),
        "a rule that no case cites"
    );
    for (rule, cases) in &by_rule {
        let is_checked = cases.iter().any(|case| case.verdict == Verdict::Must);
        assert_eq!(is_checked, !OPEN.contains(&&***rule), "{rule}");
    }
    for rule in OF_CLIENTS {
        let of_clients = |case: &&Case| case.kind == Kind::Connect && case.verdict == Verdict::Must;
        assert!(by_rule[&rule.to_owned()].iter().any(of_clients), "{rule}");
    }
}

#[test]
fn the_list_of_cases_by_rule_is_current() {
    let path = root().join("RULES.md");
    let text = fs::read_to_string(&path).unwrap();
    let by_hand = text.split(MARK).next().unwrap_or_default();
    let mut due = format!(
        "{by_hand}{MARK}\n## The cases of each rule\n\n| rule | must | may | cases |\n|---|---|---|---|\n"
    );
    for (rule, cases) in cases_by_rule() {
        let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
        let ids: Vec<String> = cases.iter().map(|case| format!("`{}`", case.id)).collect();
        let (must, may) = (count(Verdict::Must), count(Verdict::May));
        writeln!(due, "| {rule} | {must} | {may} | {} |", ids.join(" ")).unwrap();
    }
    if std::env::var_os("WRITE").is_some() {
        fs::write(path, due).unwrap();
    } else {
        assert!(
            text == due,
            "WRITE=1 cargo test -p sse-conformance --test corpus writes it"
        );
    }
}

fn cases_by_rule() -> BTreeMap<&'static String, Vec<&'static Case>> {
    let mut by_rule: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in cases() {
        for rule in &case.rules {
            by_rule.entry(rule).or_default().push(case);
        }
    }
    by_rule
}

/// What stands in the first column of the tables that people write in RULES.md.
fn rules() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("RULES.md")).unwrap();
    let by_hand = text.split(MARK).next().unwrap_or_default();
    by_hand
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| !matches!(*cell, "rule" | "section"))
        .map(str::to_owned)
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn is_kebab_case(id: &str) -> bool {
    let is_word = |word: &str| {
        let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !word.is_empty() && word.bytes().all(is_lower)
    };
    id.split('-').all(is_word)
}
