//! The conformance corpus, held against both storages under every way of cutting its inputs.
//!
//! The expected items are stated step by step. As written they must come out of exactly the step that states them; under all
//! other cuts no item may come earlier or later than the byte that brings it when the input is fed byte by byte.

#[path = "support/corpus.rs"]
mod corpus;

use core::fmt::Debug;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use corpus::{Case, Error, Group, Item, Storage};
use sse_proto::{Decoder, EventTooLarge, Events, Fixed};

/// Rules that a decoder can be tested for. Not among them: I15 (delivery after `close()`), which is the connection's.
const TESTABLE: [(char, &[u8]); 4] = [
    (
        'P',
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
        ],
    ),
    (
        'I',
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21,
        ],
    ),
    ('U', &[1, 2, 3, 4, 5, 6, 7]),
    ('S', &[2, 3, 4]),
];

/// Each region of the caller's memory where a case states no limit: more than the longest input.
const REGION: usize = 1 << 20;

/// Inputs up to this length are cut everywhere, longer ones near the edges of steps and at a few places between.
const CUT_EVERYWHERE: usize = 1024;

#[test]
fn every_file_keeps_to_the_format() {
    let (flags, rules) = (corpus::flags(), corpus::rules());
    let mut ids = BTreeSet::new();
    for (name, group) in corpus::decode_groups() {
        assert_eq!(group.group, name);
        assert_eq!(group.schema, "../schema/decode.schema.json");
        assert!(!group.about.is_empty(), "{}", group.group);
        for case in group.cases {
            let id = &case.id;
            assert!(ids.insert(id.clone()), "{id} is there twice");
            for (holds, what) in form(&case, &flags, &rules) {
                assert!(holds, "{id}: {what}");
            }
        }
    }
    assert!(
        flags.keys().eq(&corpus::used_flags()),
        "flags that no case has"
    );
}

#[test]
fn every_testable_rule_has_a_case_that_must_pass() {
    let mut cases = all_cases();
    cases.retain(|case| case.verdict == corpus::Verdict::Must);
    for (letter, numbers) in TESTABLE {
        for number in numbers {
            let rule = format!("{letter}{number}");
            assert!(
                cases.iter().any(|case| case.rule.contains(&rule)),
                "no case for {rule}"
            );
        }
    }
}

#[test]
fn the_rules_are_those_that_cases_of_any_kind_cite() {
    assert_eq!(corpus::cited_rules(), corpus::rules());
}

#[test]
#[cfg(feature = "alloc")]
fn the_heap_decoder_passes_every_case() {
    let mut cases = all_cases();
    cases.retain(|case| case.storage != Some(Storage::Fixed));
    assert_all_pass(&cases, &mut |case, chunks, all_items| {
        let decoder = case
            .limit
            .map_or_else(Decoder::new, Decoder::with_max_event_len);
        run(decoder, case, chunks, all_items)
    });
}

#[test]
fn the_fixed_decoder_passes_every_case() {
    let mut cases = all_cases();
    cases.retain(|case| case.limit.is_none() || case.storage == Some(Storage::Fixed));
    // Never cleared: what an earlier run left in the memory must not matter.
    let mut memory = vec![0; 4 * REGION];
    assert_all_pass(&cases, &mut |case, chunks, all_items| {
        let region = case.limit.unwrap_or(REGION);
        let fixed = Fixed::with_field_len(&mut memory[..4 * region], region);
        run(Decoder::with_storage(fixed), case, chunks, all_items)
    });
}

/// What came out of each chunk, and what stayed.
#[derive(Debug, PartialEq)]
struct Outcome {
    chunks: Vec<Vec<Item>>,
    last_event_id: String,
    reconnection_time: Option<Duration>,
}

/// Feeds chunks to a fresh decoder, asking it for all items or for events only.
type Run<'a> = dyn FnMut(&Case, &[&[u8]], bool) -> Outcome + 'a;

fn assert_all_pass(cases: &[Case], run: &mut Run) {
    let mut failures = Vec::new();
    for case in cases {
        for (endings, case) in case.with_all_line_endings() {
            if let Err(what) = check(&case, run) {
                let Case { id, rule, why, .. } = &case;
                failures.push(format!(
                    "{id} {rule:?}: {why}\n  line ends {endings}, {what}"
                ));
            }
        }
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} failures\n{}",
        failures.join("\n")
    );
}

/// Feeds the case in every way, and says which is the first that goes wrong and how.
fn check(case: &Case, run: &mut Run) -> Result<(), String> {
    let input = case.input();
    let steps: Vec<&[u8]> = case.steps.iter().map(|step| &step.bytes[..]).collect();
    let due: Vec<Vec<Item>> = case.steps.iter().map(|step| step.items.clone()).collect();
    let all = due.concat();
    let short_input = input.len() <= CUT_EVERYWHERE;

    Way::new("as written", steps.clone(), due.clone()).check(case, run)?;
    Way::new("as written", steps.clone(), due.clone())
        .with_empty_chunks()
        .check(case, run)?;
    Way::new("whole", vec![&input], vec![all.clone()]).check(case, run)?;
    // Comments that nobody asked for take no part in the limit, so those cases have another outcome.
    if !(case.has_flag("limit") && case.has_flag("comment")) {
        Way::new("as written", steps.clone(), due.clone())
            .events_only()
            .check(case, run)?;
    }

    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    let came = run(case, &bytes, true).chunks;
    let by_step = in_steps(&came, &steps);
    if by_step != due {
        return Err(wrong("byte by byte", &due, &by_step));
    }
    let mut out = vec![0]; // how many items are out after so many bytes
    out.extend(came.iter().scan(0, |count, items| {
        *count += items.len();
        Some(*count)
    }));
    let mut singly = Way::new("byte by byte", bytes, came);
    if short_input {
        singly = singly.with_empty_chunks();
    }
    singly.check(case, run)?;

    for cut in cuts(&steps, input.len()) {
        let (left, right) = input.split_at(cut);
        let (early, late) = all.split_at(out[cut]);
        let way = Way::new(
            format!("cut at {cut}"),
            vec![left, right],
            vec![early.into(), late.into()],
        );
        way.check(case, run)?;
        if short_input {
            way.with_empty_chunks().check(case, run)?;
        }
    }
    Ok(())
}

/// One way of feeding an input, and the items due from each chunk.
struct Way<'i> {
    name: String,
    chunks: Vec<&'i [u8]>,
    due: Vec<Vec<Item>>,
    all_items: bool,
}

impl<'i> Way<'i> {
    fn new(name: impl Into<String>, chunks: Vec<&'i [u8]>, due: Vec<Vec<Item>>) -> Self {
        let name = name.into();
        Self {
            name,
            chunks,
            due,
            all_items: true,
        }
    }

    fn with_empty_chunks(mut self) -> Self {
        self.name += ", with empty chunks";
        self.chunks = interspersed(self.chunks);
        self.due = interspersed(self.due);
        self
    }

    fn events_only(mut self) -> Self {
        self.name += ", events only";
        self.all_items = false;
        for items in &mut self.due {
            items.retain(|item| matches!(item, Item::Event { .. } | Item::Error { .. }));
        }
        self
    }

    fn check(&self, case: &Case, run: &mut Run) -> Result<(), String> {
        let got = run(case, &self.chunks, self.all_items);
        let stays = &case.r#final;
        if got.chunks != self.due {
            Err(wrong(&self.name, &self.due, &got.chunks))
        } else if got.last_event_id != stays.last_event_id {
            let name = format!("{}: last event id", self.name);
            Err(wrong(&name, &stays.last_event_id, &got.last_event_id))
        } else if got.reconnection_time != stays.reconnection_time.map(Duration::from_millis) {
            let name = format!("{}: reconnection time in ms", self.name);
            Err(wrong(
                &name,
                &stays.reconnection_time,
                &got.reconnection_time,
            ))
        } else {
            Ok(())
        }
    }
}

/// Long inputs make long messages: the beginning says enough.
fn wrong(way: &str, expected: &impl Debug, got: &impl Debug) -> String {
    format!(
        "fed {way}\n  expected {:.1500}\n  got      {:.1500}",
        format!("{expected:?}"),
        format!("{got:?}")
    )
}

/// The items of single bytes, gathered by step.
fn in_steps(mut singly: &[Vec<Item>], steps: &[&[u8]]) -> Vec<Vec<Item>> {
    let step_of = |step: &&[u8]| {
        let (step, rest) = singly.split_at(step.len());
        singly = rest;
        step.concat()
    };
    steps.iter().map(step_of).collect()
}

fn interspersed<T: Default>(chunks: Vec<T>) -> Vec<T> {
    let mut spread = vec![T::default()];
    spread.extend(chunks.into_iter().flat_map(|chunk| [chunk, T::default()]));
    spread
}

fn cuts(steps: &[&[u8]], len: usize) -> BTreeSet<usize> {
    if len <= CUT_EVERYWHERE {
        return (0..=len).collect();
    }
    let edges = steps.iter().scan(0, |end, step| {
        *end += step.len();
        Some(*end)
    });
    let places = edges.chain([len / 3, len / 2]);
    places
        .flat_map(|place| place - 1..=place + 1)
        .filter(|&cut| cut <= len)
        .collect()
}

fn run<S: sse_proto::Storage>(
    mut decoder: Decoder<S>,
    case: &Case,
    chunks: &[&[u8]],
    all_items: bool,
) -> Outcome {
    if let Some(id) = &case.last_event_id {
        decoder
            .set_last_event_id(id)
            .expect("the corpus has no seed that does not fit");
    }
    let chunks = chunks
        .iter()
        .map(|chunk| drain(decoder.feed(chunk), case, all_items))
        .collect();
    let outcome = Outcome {
        chunks,
        last_event_id: decoder.last_event_id().to_owned(),
        reconnection_time: decoder.reconnection_time(),
    };
    // The stream ends here. Id and time outlive it, and a blank line of the next stream finds nothing left to dispatch.
    decoder.reset();
    assert_eq!(
        drain(decoder.feed(b"\n\n"), case, true),
        [],
        "{} after its end",
        case.id
    );
    assert_eq!(
        decoder.last_event_id(),
        outcome.last_event_id,
        "{} after its end",
        case.id
    );
    assert_eq!(
        decoder.reconnection_time(),
        outcome.reconnection_time,
        "{} after its end",
        case.id
    );
    outcome
}

fn drain<S: sse_proto::Storage>(
    mut events: Events<'_, '_, S>,
    case: &Case,
    all_items: bool,
) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        let next = if all_items {
            events.next_item()
        } else {
            events
                .next_event()
                .map(|event| event.map(sse_proto::Item::Event))
        };
        items.push(match next {
            Ok(Some(item)) => owned(item),
            Ok(None) => return items,
            Err(error) => too_large(error, case),
        });
    }
}

fn owned(item: sse_proto::Item<'_>) -> Item {
    match item {
        sse_proto::Item::Event(event) => Item::Event {
            event: event.event_type.to_owned(),
            data: event.data.to_owned(),
            last_event_id: event.last_event_id.to_owned(),
        },
        sse_proto::Item::Comment(text) => Item::Comment {
            comment: text.to_owned(),
        },
        sse_proto::Item::Retry(time) => Item::Retry {
            retry: u64::try_from(time.as_millis())
                .expect("the decoder saturates at u64 milliseconds"),
        },
        other => unreachable!("an item the corpus does not know: {other:?}"),
    }
}

fn too_large(error: EventTooLarge, case: &Case) -> Item {
    if let Some(limit) = case.limit {
        assert_eq!(error.limit(), limit, "{}", case.id);
    }
    Item::Error {
        error: Error::EventTooLarge,
    }
}

/// What must hold for each case beyond what its types say.
fn form(
    case: &Case,
    flags: &BTreeMap<String, String>,
    rules: &BTreeSet<String>,
) -> [(bool, &'static str); 11] {
    let expects =
        |wanted: fn(&Item) -> bool| case.steps.iter().flat_map(|step| &step.items).any(wanted);
    let comments = expects(|item| matches!(item, Item::Comment { .. }));
    let retries = expects(|item| matches!(item, Item::Retry { .. }));
    let fixed = case.storage == Some(Storage::Fixed);
    [
        (is_kebab_case(&case.id), "the id is in kebab case"),
        (case.why.ends_with('.'), "the reason is a sentence"),
        (
            case.rule.iter().all(|rule| rules.contains(rule)),
            "RULES.md has the rules",
        ),
        (
            case.flags.iter().all(|flag| flags.contains_key(flag)),
            "flags.json has the flags",
        ),
        (case.has_flag("limit") == case.limit.is_some(), "flag limit"),
        (
            case.has_flag("fixed-storage") == fixed,
            "flag fixed-storage",
        ),
        (
            case.has_flag("id-seed") == case.last_event_id.is_some(),
            "flag id-seed",
        ),
        (
            case.has_flag("comment") || !comments,
            "flag comment, since it expects some",
        ),
        (
            case.has_flag("retry") || !retries,
            "flag retry, since it expects some",
        ),
        (case.has_flag("cr") == case.has_cr(), "flag cr"),
        (
            case.rewrite_line_endings != Some(true) || !case.has_cr(),
            "what has a CR is not rewritten",
        ),
    ]
}

fn all_cases() -> Vec<Case> {
    corpus::decode_groups()
        .into_iter()
        .flat_map(|(_, Group { cases, .. })| cases)
        .collect()
}

fn is_kebab_case(id: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    id.split('-').all(word)
}
