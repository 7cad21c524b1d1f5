//! The form of the corpus: what its types and schemas do not check. Also `RULES.md`, whose second
//! half lists the cases of each rule and is written by
//! `WRITE=1 cargo test -p sse-conformance --test corpus`.

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

/// Separates the text of RULES.md from the list that this test writes.
const MARK: &str = "<!-- Everything below is written by `WRITE=1 cargo test -p sse-conformance --test corpus`. -->\n";

/// Rules that the standard leaves open or does not have: all of their cases are `may`.
const OPEN_RULES: [&str; 27] = [
    "A3", "A6", "A14", "A16", "A23", "H2", "H3", "S5", "O1", "O2", "O3", "O4", "O5", "O6", "O7",
    "O8", "O9", "O10", "O11", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8",
];

/// Rules that need a `must` case for clients, whatever other cases they have.
const CLIENT_RULES: [&str; 43] = [
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
fn every_case_is_well_formed() {
    let (flags, rules) = (flags(), rules());
    let mut ids = BTreeSet::new();
    for group in groups() {
        assert!(!group.about.is_empty(), "{}", group.name);
        for case in &group.cases {
            let id = &case.id;
            assert!(ids.insert(id), "{id} is used twice");
            assert!(is_kebab_case(id), "{id}");
            let prefix = match case.kind {
                Kind::Decode => "",
                Kind::Encode => "encode-",
                Kind::Connect => "connect-",
            };
            assert!(id.starts_with(prefix), "{id}");
            assert!(case.why.ends_with('.'), "{id}: `why` must be a sentence");
            let own_rules = case.rules.iter().filter(|rule| !rule.contains([' ', '-']));
            assert!(own_rules.count() > 0, "{id} must cite a rule");
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
            ("limit", decode.limit.is_some() || decode.regions.is_some()),
            ("fixed-storage", decode.storage == Some(Storage::Fixed)),
            ("id-seed", decode.last_event_id.is_some()),
            ("cr", decode.has_cr()),
            ("details", decode.details),
        ],
    );
    let id = &case.id;
    assert!(
        case.has_flag("comment") || !comments,
        "{id} lacks the flag comment"
    );
    assert!(
        case.has_flag("retry") || !retries,
        "{id} lacks the flag retry"
    );
    assert!(
        !decode.has_cr() || !decode.may_rewrite_line_endings(),
        "{id} allows rewriting, but has a CR"
    );
    check_details(case, decode);
}

/// Only cases with details use the keys and items that belong to details.
fn check_details(case: &Case, decode: &Decode) {
    let id = &case.id;
    let mut items = decode.steps.iter().flat_map(|step| &step.items);
    assert_eq!(decode.r#final.state.is_some(), decode.details, "{id}");
    assert_eq!(case.group == "details", decode.details, "{id}");
    if decode.details {
        assert_eq!(
            case.verdict,
            Verdict::May,
            "{id}: details are not in the standard"
        );
        let lacks_part = |item: &Item| matches!(item, Item::Error { .. });
        assert!(!items.any(lacks_part), "{id}: an error has a part");
    } else {
        let uses_details = decode.skip_long_ids || decode.regions.is_some();
        let has_details = items.any(|item| matches!(item, Item::Detailed(_)));
        assert!(!uses_details && !has_details, "{id} needs details");
    }
    if decode.regions.is_some() {
        let is_fixed = decode.storage == Some(Storage::Fixed);
        assert!(is_fixed && decode.limit.is_none(), "{id}: regions");
    }
}

fn check_encode(case: &Case, encode: &Encode) {
    let has = |wanted: fn(&sse_conformance::Frame) -> bool| encode.frames.iter().any(wanted);
    let id = &case.id;
    let comments = has(|frame| frame.comment.is_some());
    let retries = has(|frame| frame.retry.is_some());
    assert!(
        case.has_flag("comment") || !comments,
        "{id} lacks the flag comment"
    );
    assert!(
        case.has_flag("retry") || !retries,
        "{id} lacks the flag retry"
    );
    assert!(
        case.rules.iter().any(|rule| rule.starts_with(['E', 'S'])),
        "{id} must cite a rule for encoders"
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

/// Only cases with options use the keys that belong to options.
fn check_options(case: &Case, connect: &Connect) {
    let id = &case.id;
    let uses_options = connect.responses.iter().any(|response| match response {
        Response::Failure { failure } => *failure == Failure::Timeout,
        Response::Response {
            redirects,
            lasts,
            end,
            ..
        } => !redirects.is_empty() || *lasts || *end == End::Timeout,
    });
    let mut requests = connect.requests.iter();
    let checks_options =
        requests.any(|request| request.url.is_some() || !request.without_headers.is_empty());
    let Some(options) = &connect.options else {
        assert!(!uses_options && !checks_options, "{id} needs options");
        return;
    };
    assert_eq!(
        case.verdict,
        Verdict::May,
        "{id}: options are not in the standard"
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
                "{id} has two final URLs"
            );
            assert!(!lasts || options.stable_after_ms.is_some(), "{id}: lasts");
        }
    }
}

fn check_flags(case: &Case, expected: &[(&str, bool)]) {
    for (flag, expected) in expected {
        assert_eq!(case.has_flag(flag), *expected, "{}: flag {flag}", case.id);
    }
}

#[test]
fn every_flag_is_used() {
    let used: BTreeSet<&String> = cases().iter().flat_map(|case| &case.flags).collect();
    assert!(
        flags().keys().eq(used),
        "flags.json has a flag that no case uses"
    );
}

#[test]
fn every_rule_has_a_case_that_must_pass() {
    let by_rule = cases_by_rule();
    assert!(
        by_rule.keys().copied().eq(rules().iter()),
        "RULES.md has a rule that no case cites"
    );
    for (rule, cases) in &by_rule {
        let is_checked = cases.iter().any(|case| case.verdict == Verdict::Must);
        assert_eq!(is_checked, !OPEN_RULES.contains(&&***rule), "{rule}");
    }
    for rule in CLIENT_RULES {
        let of_clients = |case: &&Case| case.kind == Kind::Connect && case.verdict == Verdict::Must;
        assert!(by_rule[&rule.to_owned()].iter().any(of_clients), "{rule}");
    }
}

#[test]
fn the_list_of_cases_by_rule_is_up_to_date() {
    let path = root().join("RULES.md");
    let text = fs::read_to_string(&path).unwrap();
    let text_part = text.split(MARK).next().unwrap_or_default();
    let mut expected = format!(
        "{text_part}{MARK}\n## The cases of each rule\n\n| rule | must | may | cases |\n|---|---|---|---|\n"
    );
    for (rule, cases) in cases_by_rule() {
        let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
        let ids: Vec<String> = cases.iter().map(|case| format!("`{}`", case.id)).collect();
        let (must, may) = (count(Verdict::Must), count(Verdict::May));
        writeln!(expected, "| {rule} | {must} | {may} | {} |", ids.join(" ")).unwrap();
    }
    if std::env::var_os("WRITE").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        assert!(
            text == expected,
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

/// The first column of the tables in the text of RULES.md.
fn rules() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("RULES.md")).unwrap();
    let text_part = text.split(MARK).next().unwrap_or_default();
    text_part
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
