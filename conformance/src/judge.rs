//! The judge: whether an answer is what is due from a way of asking, and if not, what is wrong with it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    corpus::{Connect, Encoded, Entry, Item, Refusal},
    reading,
    ways::{Due, Way, is_due},
};

/// What an implementation answers to a [`Request`](crate::Request).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// What came out of a decoder.
    Decode(DecodeAnswer),
    /// The bytes that an encoder wrote.
    Encode(Vec<u8>),
    /// What an encoder refused to write.
    Refused(Refusal),
    /// What a client did.
    Connect(ConnectAnswer),
    /// Nothing, for this reason.
    Failed(String),
    /// That it knows no such requests.
    Unsupported,
}

/// What came out of a decoder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
// Exhaustive: implementations make it.
pub struct DecodeAnswer {
    /// For each piece of the request the items that came out when it was fed and before the next was. What comes out at the
    /// end of the stream belongs to the last piece.
    pub chunks: Vec<Vec<Item>>,
    /// The last event id string after the whole input; `None` if it cannot be told.
    pub last_event_id: Option<String>,
}

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
// Exhaustive: implementations make it.
pub struct ConnectAnswer {
    /// The requests that it made.
    pub requests: Vec<Made>,
    /// What the user heard.
    pub log: Vec<Entry>,
    /// The state in the end.
    pub ready_state: u8,
}

/// A request that a client made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
// Exhaustive: implementations make it.
pub struct Made {
    /// The headers, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The value of `Last-Event-ID` as text, if it was sent.
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub last_event_id: Option<String>,
    /// The wait before it in milliseconds, without jitter.
    pub after_ms: u64,
    /// Where it went. Only cases with options ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Mismatch {
    /// A word for it: `items`, `late`, `early`, `last-event-id`, `bytes`, `refusal`, `requests`, `log`, `ready-state`, `answer`.
    pub what: &'static str,
    /// The same in a sentence.
    pub message: String,
    /// What was due.
    pub expected: Value,
    /// What came.
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

impl Way {
    /// Judges an answer to the request of this way.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if anything is.
    ///
    /// ```
    /// use sse_conformance::{Answer, Capabilities, DecodeAnswer};
    ///
    /// let case = &sse_conformance::cases()[0];
    /// let way = case.ways(&Capabilities::all()).next().unwrap();
    /// let nothing_at_all = Answer::Decode(DecodeAnswer::default());
    /// let mismatch = way.judge(&nothing_at_all).unwrap_err();
    /// assert_eq!(mismatch.what, "answer"); // not even a list for each piece
    /// ```
    pub fn judge(&self, answer: &Answer) -> Result<(), Mismatch> {
        match (&self.due, answer) {
            (Due::Decode { .. }, Answer::Decode(answer)) => self.judge_decode(answer),
            (Due::Encode { due, may_refuse }, Answer::Encode(bytes)) => match due {
                Encoded::Items { items, bytes: due } => judge_bytes(items, due.as_deref(), bytes),
                Encoded::Refused(_) if *may_refuse => Ok(()),
                Encoded::Refused(refusal) => Err(wrong(
                    "refusal",
                    "a frame was written that had to be refused",
                    json!({ "refused": refusal }),
                    json!(shown(bytes)),
                )),
            },
            (Due::Encode { due, may_refuse }, Answer::Refused(refusal)) => match due {
                Encoded::Refused(due) if due == refusal => Ok(()),
                Encoded::Refused(due) => Err(wrong(
                    "refusal",
                    "another frame was refused, or for another field",
                    json!({ "refused": due }),
                    json!({ "refused": refusal }),
                )),
                Encoded::Items { .. } if *may_refuse => Ok(()),
                Encoded::Items { items, .. } => Err(wrong(
                    "refusal",
                    "a frame was refused that had to be written",
                    json!(items),
                    json!({ "refused": refusal }),
                )),
            },
            (Due::Connect { due, delay }, Answer::Connect(answer)) => {
                judge_connect(due, *delay, answer)
            }
            (_, Answer::Failed(why)) => Err(wrong(
                "answer",
                "the request was not served",
                json!("an answer"),
                json!({ "error": why }),
            )),
            (_, Answer::Unsupported) => Err(wrong(
                "answer",
                "requests of this kind are not served",
                json!("an answer"),
                json!({ "unsupported": true }),
            )),
            (_, other) => Err(wrong(
                "answer",
                "the answer belongs to another kind of request",
                json!("an answer"),
                json!(format!("{other:?}")),
            )),
        }
    }

    fn judge_decode(&self, answer: &DecodeAnswer) -> Result<(), Mismatch> {
        let Due::Decode {
            items: due,
            out,
            last_event_id,
            comments,
            exact_comments,
            retry,
        } = &self.due
        else {
            unreachable!("only called for these");
        };
        if answer.chunks.len() != out.len() {
            return Err(wrong(
                "answer",
                "there is to be one list of items for each piece",
                json!(format!("{} lists", out.len())),
                json!(format!("{} lists", answer.chunks.len())),
            ));
        }
        let got: Vec<Vec<&Item>> = answer
            .chunks
            .iter()
            .map(|items| {
                items
                    .iter()
                    .filter(|item| is_due(item, *comments, *retry))
                    .collect()
            })
            .collect();
        let all: Vec<&Item> = got.iter().flatten().copied().collect();
        let same = |due: &Item, got: &Item| {
            due == got || !exact_comments && without_a_space(due).as_ref() == Some(got)
        };
        if all.len() != due.len() || !due.iter().zip(&all).all(|(due, got)| same(due, got)) {
            return Err(wrong(
                "items",
                "other items came out",
                json!(due),
                json!(all),
            ));
        }
        let mut came = 0;
        for (index, (items, (least, most))) in got.iter().zip(out).enumerate() {
            came += items.len();
            let (what, how) = if came < *least {
                ("late", "late: not all was out that was complete")
            } else if came > *most {
                ("early", "early: something was out that was not complete")
            } else {
                continue;
            };
            let after = if least == most {
                json!(format!("{least} items after piece {}", index + 1))
            } else {
                json!(format!("{least} to {most} items after piece {}", index + 1))
            };
            return Err(wrong(what, how, after, json!(non_empty(&got))));
        }
        match (last_event_id, &answer.last_event_id) {
            (Some(due), got) if got.as_ref() != Some(due) => Err(wrong(
                "last-event-id",
                "another last event id stays after the input",
                json!(due),
                json!(got),
            )),
            _ => Ok(()),
        }
    }
}

/// The comment without the one space that it begins with.
fn without_a_space(item: &Item) -> Option<Item> {
    let Item::Comment { comment } = item else {
        return None;
    };
    let comment = comment.strip_prefix(' ')?.to_owned();
    Some(Item::Comment { comment })
}

/// Lists of items by the number of their piece, since most pieces of many have none.
fn non_empty(chunks: &[Vec<&Item>]) -> Value {
    if chunks.len() <= 8 {
        return json!(chunks);
    }
    let of_pieces = chunks.iter().enumerate();
    let of_pieces = of_pieces
        .filter(|(_, items)| !items.is_empty())
        .map(|(index, items)| json!({ "piece": index + 1, "items": items }));
    of_pieces.collect()
}

fn judge_bytes(due: &[Item], spelling: Option<&str>, bytes: &[u8]) -> Result<(), Mismatch> {
    if std::str::from_utf8(bytes).is_err() || bytes.starts_with(b"\xEF\xBB\xBF") {
        let message = "what is written is UTF-8, without a byte order mark";
        return Err(wrong("bytes", message, json!(due), json!(shown(bytes))));
    }
    if spelling.is_some_and(|spelling| spelling.as_bytes() != bytes) {
        let message = "there is one right spelling, and this is another";
        return Err(wrong(
            "bytes",
            message,
            json!(spelling),
            json!(shown(bytes)),
        ));
    }
    let got = reading::read(bytes);
    if !same_but_for_a_space(due, &got) {
        let message = "the bytes decode to other items";
        let got = json!({ "bytes": shown(bytes), "items": got });
        return Err(wrong("items", message, json!(due), got));
    }
    // Nothing is left open: what follows is an event of its own.
    let mut more = reading::read(&[bytes, b"id\ndata: next\n\n"].concat());
    let next = Item::Event {
        event: "message".to_owned(),
        data: "next".to_owned(),
        last_event_id: String::new(),
    };
    if more.pop().as_ref() != Some(&next) || !same_but_for_a_space(due, &more) {
        let message = "something is left open: it leaks into the event that follows";
        let bytes = json!(shown(bytes));
        return Err(wrong("bytes", message, json!(due), bytes));
    }
    Ok(())
}

/// Whether the items are the same, but for one space that an encoder may write after the colon of a comment.
fn same_but_for_a_space(due: &[Item], got: &[Item]) -> bool {
    let same =
        |(due, got): (&Item, &Item)| due == got || without_a_space(got).as_ref() == Some(due);
    due.len() == got.len() && due.iter().zip(got).all(same)
}

fn judge_connect(due: &Connect, delay: bool, answer: &ConnectAnswer) -> Result<(), Mismatch> {
    if answer.log != due.log {
        let message = "the user heard something else";
        return Err(wrong("log", message, json!(due.log), json!(answer.log)));
    }
    if answer.ready_state != due.ready_state {
        let (due, got) = (json!(due.ready_state), json!(answer.ready_state));
        return Err(wrong(
            "ready-state",
            "the state in the end is another",
            due,
            got,
        ));
    }
    let requests = |message: String| {
        let (due, got) = (json!(due.requests), json!(answer.requests));
        Err(wrong("requests", message, due, got))
    };
    if answer.requests.len() != due.requests.len() {
        return requests(format!(
            "{} requests were to be made, and {} were",
            due.requests.len(),
            answer.requests.len()
        ));
    }
    for (index, (due, made)) in due.requests.iter().zip(&answer.requests).enumerate() {
        let number = index + 1;
        let ids = made.headers.iter();
        let ids = ids.filter(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
        if made.last_event_id != due.last_event_id {
            return requests(format!("request {number} has another Last-Event-ID"));
        }
        if ids.count() > 1 {
            return requests(format!("request {number} has more than one Last-Event-ID"));
        }
        if delay && due.after_ms.is_some_and(|after| after != made.after_ms) {
            return requests(format!("request {number} came after another wait"));
        }
        for (name, value) in &due.headers {
            let is_there = made
                .headers
                .iter()
                .any(|(own, its)| own.eq_ignore_ascii_case(name) && its == value);
            if !is_there {
                return requests(format!("request {number} lacks the header {name}: {value}"));
            }
        }
        for name in &due.without_headers {
            let is_there = |(own, _): &(String, String)| own.eq_ignore_ascii_case(name);
            if made.headers.iter().any(is_there) {
                return requests(format!("request {number} has the header {name}"));
            }
        }
        if due.url.is_some() && due.url != made.url {
            return requests(format!("request {number} went to another URL"));
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

/// Bytes as text with escapes.
pub(crate) fn shown(bytes: &[u8]) -> String {
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
