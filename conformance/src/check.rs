//! Answers, and their comparison with what is expected.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    corpus::{Connect, ExpectedOutput, Item, LogEntry, Refusal, State},
    reference,
    variants::{Expected, Variant, is_compared},
};

/// An implementation's answer to a [`Request`](crate::Request).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The items that a decoder reported.
    Decode(DecodeAnswer),
    /// The items and the state that a decoder reported, which was asked for details.
    DetailedDecode(DecodeAnswer, State),
    /// The bytes that an encoder wrote.
    Encode(Vec<u8>),
    /// The frame that an encoder refused to write.
    Refused(Refusal),
    /// What a client did.
    Connect(ConnectAnswer),
    /// The request could not be served, for this reason.
    Failed(String),
    /// Requests of this kind are not supported.
    Unsupported,
}

/// The items that a decoder reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
// Exhaustive: implementations construct it.
pub struct DecodeAnswer {
    /// For each chunk of the request, the items reported after it was fed and before the next one
    /// was. Items that are reported at the end of the stream belong to the last chunk.
    pub chunks: Vec<Vec<Item>>,
    /// The last event ID after the whole input; `None` if the implementation does not report it.
    pub last_event_id: Option<String>,
}

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
// Exhaustive: implementations construct it.
pub struct ConnectAnswer {
    /// The requests, in order.
    pub requests: Vec<RecordedRequest>,
    /// The events that the user received, in order.
    pub log: Vec<LogEntry>,
    /// The final `readyState`.
    pub ready_state: u8,
}

/// A request that a client made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
// Exhaustive: implementations construct it.
pub struct RecordedRequest {
    /// The headers, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The value of the `Last-Event-ID` header as text, if it was sent.
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub last_event_id: Option<String>,
    /// The delay before the request in milliseconds, without jitter.
    pub after_ms: u64,
    /// Its URL. Only compared in cases with options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How an answer differs from what is expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Mismatch {
    /// A keyword: `items`, `late`, `early`, `last-event-id`, `state`, `bytes`, `refusal`,
    /// `requests`, `log`, `ready-state`, `answer`.
    pub what: &'static str,
    /// A sentence that describes the difference.
    pub message: String,
    /// What was expected.
    pub expected: Value,
    /// What the answer has instead.
    pub got: Value,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            expected,
            got,
            ..
        } = self;
        write!(f, "{message}\n  expected {expected}\n  got      {got}")
    }
}

impl std::error::Error for Mismatch {}

impl Variant {
    /// Compares the answer to this variant's request with what is expected.
    ///
    /// # Errors
    ///
    /// The first difference.
    ///
    /// ```
    /// use sse_conformance::{Answer, Capabilities, DecodeAnswer};
    ///
    /// let case = &sse_conformance::cases()[0];
    /// let variant = case.variants(&Capabilities::all()).next().unwrap();
    /// let empty = Answer::Decode(DecodeAnswer::default());
    /// let mismatch = variant.check(&empty).unwrap_err();
    /// assert_eq!(mismatch.what, "answer"); // it lacks the lists of items, one for each chunk
    /// ```
    pub fn check(&self, answer: &Answer) -> Result<(), Mismatch> {
        match (&self.expected, answer) {
            (Expected::Decode { .. }, Answer::Decode(answer)) => self.check_decode(answer, None),
            (Expected::Decode { .. }, Answer::DetailedDecode(answer, state)) => {
                self.check_decode(answer, Some(state))
            }
            (Expected::Encode { output, may_refuse }, Answer::Encode(bytes)) => match output {
                ExpectedOutput::Items {
                    items,
                    bytes: spelling,
                } => check_bytes(items, spelling.as_deref(), bytes),
                ExpectedOutput::Refused(_) if *may_refuse => Ok(()),
                ExpectedOutput::Refused(refusal) => Err(wrong(
                    "refusal",
                    "a frame was written that must be refused",
                    json!({ "refused": refusal }),
                    json!(escaped(bytes)),
                )),
            },
            (Expected::Encode { output, may_refuse }, Answer::Refused(refusal)) => match output {
                ExpectedOutput::Refused(expected) if expected == refusal => Ok(()),
                ExpectedOutput::Refused(expected) => Err(wrong(
                    "refusal",
                    "the refusal names the wrong frame or field",
                    json!({ "refused": expected }),
                    json!({ "refused": refusal }),
                )),
                ExpectedOutput::Items { .. } if *may_refuse => Ok(()),
                ExpectedOutput::Items { items, .. } => Err(wrong(
                    "refusal",
                    "a frame was refused that must be written",
                    json!(items),
                    json!({ "refused": refusal }),
                )),
            },
            (Expected::Connect { case, delay }, Answer::Connect(answer)) => {
                check_connect(case, *delay, answer)
            }
            (_, Answer::Failed(why)) => Err(wrong(
                "answer",
                "the request was not served",
                json!("an answer"),
                json!({ "error": why }),
            )),
            (_, Answer::Unsupported) => Err(wrong(
                "answer",
                "requests of this kind are not supported",
                json!("an answer"),
                json!({ "unsupported": true }),
            )),
            (_, other) => Err(wrong(
                "answer",
                "the answer is of another kind than the request",
                json!("an answer"),
                json!(format!("{other:?}")),
            )),
        }
    }

    fn check_decode(
        &self,
        answer: &DecodeAnswer,
        got_state: Option<&State>,
    ) -> Result<(), Mismatch> {
        let Expected::Decode {
            items: expected,
            item_counts,
            last_event_id,
            state,
            comments,
            exact_comments,
            retry,
        } = &self.expected
        else {
            unreachable!("only called for decoder cases");
        };
        if answer.chunks.len() != item_counts.len() {
            return Err(wrong(
                "answer",
                "the answer must have one list of items for each chunk",
                json!(format!("{} lists", item_counts.len())),
                json!(format!("{} lists", answer.chunks.len())),
            ));
        }
        let got: Vec<Vec<&Item>> = answer
            .chunks
            .iter()
            .map(|items| {
                items
                    .iter()
                    .filter(|item| is_compared(item, *comments, *retry))
                    .collect()
            })
            .collect();
        let all: Vec<&Item> = got.iter().flatten().copied().collect();
        let is_equal = |expected: &Item, got: &Item| {
            expected == got || !exact_comments && without_space(expected).as_ref() == Some(got)
        };
        let mut pairs = expected.iter().zip(&all);
        if all.len() != expected.len() || !pairs.all(|(expected, got)| is_equal(expected, got)) {
            return Err(wrong(
                "items",
                "the items differ",
                json!(expected),
                json!(all),
            ));
        }
        let mut count = 0;
        for (index, (items, (least, most))) in got.iter().zip(item_counts).enumerate() {
            count += items.len();
            let (what, message) = if count < *least {
                ("late", "late: a complete item was not reported yet")
            } else if count > *most {
                (
                    "early",
                    "early: an item was reported before it was complete",
                )
            } else {
                continue;
            };
            let expected = if least == most {
                json!(format!("{least} items after chunk {}", index + 1))
            } else {
                json!(format!("{least} to {most} items after chunk {}", index + 1))
            };
            return Err(wrong(what, message, expected, json!(non_empty(&got))));
        }
        if last_event_id.is_some() && *last_event_id != answer.last_event_id {
            return Err(wrong(
                "last-event-id",
                "the last event ID after the input differs",
                json!(last_event_id),
                json!(answer.last_event_id),
            ));
        }
        if state.is_some() && state.as_ref() != got_state {
            return Err(wrong(
                "state",
                "what the decoder tells about the stream differs",
                json!(state),
                json!(got_state),
            ));
        }
        Ok(())
    }
}

/// A comment that begins with a space, without that space.
fn without_space(item: &Item) -> Option<Item> {
    let Item::Comment { comment } = item else {
        return None;
    };
    let comment = comment.strip_prefix(' ')?.to_owned();
    Some(Item::Comment { comment })
}

/// The items of each chunk. Of many chunks, most have none, and only the others are listed, with
/// their numbers.
fn non_empty(chunks: &[Vec<&Item>]) -> Value {
    if chunks.len() <= 8 {
        return json!(chunks);
    }
    let chunks = chunks.iter().enumerate();
    let chunks = chunks
        .filter(|(_, items)| !items.is_empty())
        .map(|(index, items)| json!({ "chunk": index + 1, "items": items }));
    chunks.collect()
}

fn check_bytes(expected: &[Item], spelling: Option<&str>, bytes: &[u8]) -> Result<(), Mismatch> {
    if std::str::from_utf8(bytes).is_err() || bytes.starts_with(b"\xEF\xBB\xBF") {
        let message = "the output must be UTF-8 without a byte order mark";
        return Err(wrong(
            "bytes",
            message,
            json!(expected),
            json!(escaped(bytes)),
        ));
    }
    if spelling.is_some_and(|spelling| spelling.as_bytes() != bytes) {
        let message = "only one byte sequence is correct here, and the output differs";
        return Err(wrong(
            "bytes",
            message,
            json!(spelling),
            json!(escaped(bytes)),
        ));
    }
    let got = reference::decode(bytes);
    if !equal_but_for_comment_space(expected, &got) {
        let message = "the bytes decode to other items";
        let got = json!({ "bytes": escaped(bytes), "items": got });
        return Err(wrong("items", message, json!(expected), got));
    }
    // The output leaves nothing open: whatever follows is an event by itself.
    let mut more = reference::decode(&[bytes, b"id\ndata: next\n\n"].concat());
    let next = Item::Event {
        event: "message".to_owned(),
        data: "next".to_owned(),
        last_event_id: String::new(),
    };
    if more.pop().as_ref() != Some(&next) || !equal_but_for_comment_space(expected, &more) {
        let message = "the output is unfinished and leaks into the next event";
        let bytes = json!(escaped(bytes));
        return Err(wrong("bytes", message, json!(expected), bytes));
    }
    Ok(())
}

/// Whether the items are equal, but for one space that an encoder may write after the colon of a
/// comment.
fn equal_but_for_comment_space(expected: &[Item], got: &[Item]) -> bool {
    let is_equal = |(expected, got): (&Item, &Item)| {
        expected == got || without_space(got).as_ref() == Some(expected)
    };
    expected.len() == got.len() && expected.iter().zip(got).all(is_equal)
}

fn check_connect(expected: &Connect, delay: bool, answer: &ConnectAnswer) -> Result<(), Mismatch> {
    if answer.log != expected.log {
        let message = "the user received other events";
        return Err(wrong(
            "log",
            message,
            json!(expected.log),
            json!(answer.log),
        ));
    }
    if answer.ready_state != expected.ready_state {
        let (expected, got) = (json!(expected.ready_state), json!(answer.ready_state));
        return Err(wrong(
            "ready-state",
            "the final readyState differs",
            expected,
            got,
        ));
    }
    let requests = |message: String| {
        let (expected, got) = (json!(expected.requests), json!(answer.requests));
        Err(wrong("requests", message, expected, got))
    };
    if answer.requests.len() != expected.requests.len() {
        return requests(format!(
            "{} requests expected, but {} were made",
            expected.requests.len(),
            answer.requests.len()
        ));
    }
    let pairs = expected.requests.iter().zip(&answer.requests);
    for (index, (expected, made)) in pairs.enumerate() {
        let number = index + 1;
        let ids = made.headers.iter();
        let ids = ids.filter(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
        if made.last_event_id != expected.last_event_id {
            return requests(format!("the Last-Event-ID of request {number} differs"));
        }
        if ids.count() > 1 {
            return requests(format!("request {number} has more than one Last-Event-ID"));
        }
        if delay
            && expected
                .after_ms
                .is_some_and(|after| after != made.after_ms)
        {
            return requests(format!("the delay before request {number} differs"));
        }
        for (name, value) in &expected.headers {
            let is_there = made
                .headers
                .iter()
                .any(|(own, its)| own.eq_ignore_ascii_case(name) && its == value);
            if !is_there {
                return requests(format!("request {number} lacks the header {name}: {value}"));
            }
        }
        for name in &expected.without_headers {
            let is_there = |(own, _): &(String, String)| own.eq_ignore_ascii_case(name);
            if made.headers.iter().any(is_there) {
                return requests(format!("request {number} must not have the header {name}"));
            }
        }
        if expected.url.is_some() && expected.url != made.url {
            return requests(format!("the URL of request {number} differs"));
        }
    }
    Ok(())
}

fn wrong(what: &'static str, message: impl Into<String>, expected: Value, got: Value) -> Mismatch {
    Mismatch {
        what,
        message: message.into(),
        expected,
        got,
    }
}

/// Bytes as text, with escapes for control characters and invalid UTF-8.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\u{FEFF}' => text += "\\u{feff}",
                '"' | '\'' => text.push(char),
                _ => text.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02X}");
        }
    }
    text
}
