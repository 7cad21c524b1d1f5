//! The conformance corpus as data: reads `conformance/` and refuses whatever its format does not know.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;

#[path = "groups.rs"]
mod groups;

use groups::{groups, root};

pub(crate) use groups::{Group, flags};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) rule: Vec<String>,
    pub(crate) why: String,
    pub(crate) flags: Vec<String>,
    pub(crate) verdict: Verdict,
    pub(crate) last_event_id: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) storage: Option<Storage>,
    pub(crate) rewrite_line_endings: Option<bool>,
    pub(crate) steps: Vec<Step>,
    pub(crate) r#final: Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Must,
    May,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Storage {
    Heap,
    Fixed,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawStep")]
pub(crate) struct Step {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Item {
    Event {
        event: String,
        data: String,
        #[serde(rename = "lastEventId")]
        last_event_id: String,
    },
    Retry {
        retry: u64,
    },
    Comment {
        comment: String,
    },
    Error {
        error: Error,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Error {
    #[serde(rename = "event-too-large")]
    EventTooLarge,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Final {
    pub(crate) last_event_id: String,
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub(crate) reconnection_time: Option<u64>,
}

impl Case {
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    pub(crate) fn input(&self) -> Vec<u8> {
        self.steps
            .iter()
            .flat_map(|step| &step.bytes)
            .copied()
            .collect()
    }

    pub(crate) fn has_cr(&self) -> bool {
        self.steps.iter().any(|step| step.bytes.contains(&b'\r'))
    }

    /// The case itself and, where it may be rewritten, the same with CR and with CRLF for LF.
    pub(crate) fn with_all_line_endings(&self) -> Vec<(&'static str, Self)> {
        let mut cases = vec![("as it stands", self.clone())];
        if self.rewrite_line_endings.unwrap_or(!self.has_cr()) {
            cases.push(("CR for LF", self.with_line_ending(b"\r")));
            cases.push(("CRLF for LF", self.with_line_ending(b"\r\n")));
        }
        cases
    }

    fn with_line_ending(&self, end: &[u8]) -> Self {
        let mut case = self.clone();
        for step in &mut case.steps {
            let lines: Vec<&[u8]> = step.bytes.split(|&byte| byte == b'\n').collect();
            step.bytes = lines.join(end);
        }
        case
    }
}

/// Everything in `conformance/decode`.
pub(crate) fn decode_groups() -> Vec<(String, Group<Case>)> {
    groups("decode")
}

/// The rules that cases of any kind cite.
pub(crate) fn cited_rules() -> BTreeSet<String> {
    named_in_cases("rule")
}

/// The flags that cases of any kind have.
pub(crate) fn used_flags() -> BTreeSet<String> {
    named_in_cases("flags")
}

/// What stands in the lists `key` of all cases.
fn named_in_cases(key: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, group) in ["decode", "encode", "connect"]
        .into_iter()
        .flat_map(groups::<serde_json::Value>)
    {
        for case in group.cases {
            let named = case[key].as_array().into_iter().flatten();
            names.extend(named.filter_map(|name| Some(name.as_str()?.to_owned())));
        }
    }
    names
}

/// What stands in the first column of the tables of RULES.md.
pub(crate) fn rules() -> BTreeSet<String> {
    let text =
        fs::read_to_string(root().join("RULES.md")).expect("conformance/RULES.md can be read");
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| !matches!(*cell, "rule" | "section"))
        .map(str::to_owned)
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    text: Option<String>,
    hex: Option<String>,
    repeat: Option<Repeat>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    text: Option<String>,
    hex: Option<String>,
    times: usize,
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        let bytes = match (raw.text, raw.hex, raw.repeat) {
            (text, hex, None) => piece(text, hex)?,
            (None, None, Some(repeat)) => piece(repeat.text, repeat.hex)?.repeat(repeat.times),
            _ => return Err("a step has exactly one of text, hex and repeat".to_owned()),
        };
        Ok(Self {
            bytes,
            items: raw.items,
        })
    }
}

fn piece(text: Option<String>, hex: Option<String>) -> Result<Vec<u8>, String> {
    match (text, hex) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(hex)) => hex
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).map_err(|e| format!("hex {byte:?}: {e}")))
            .collect(),
        _ => Err("a piece has exactly one of text and hex".to_owned()),
    }
}
