//! The types of the corpus, and access to its files, which are built in.

mod details;
mod options;
mod read;

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

pub use details::{DetailedItem, IgnoredReason, Part, Regions, State, Unfinished};
pub use options::{ClientOptions, ReconnectTo, Statuses};

/// The files of `$kind`, by their names.
macro_rules! files {
    ($kind:literal: $($group:literal)*) => {
        &[$(($group, include_str!(concat!("../", $kind, "/", $group, ".json")))),*]
    };
}

/// The files of each kind, by name. A test compares this list with the directories.
const FILES: [(Kind, &[(&str, &str)]); 3] = [
    (
        Kind::Decode,
        files!("decode": "bom" "comments" "data" "details" "dispatch" "end-of-input" "event" "fields" "id"
            "limits" "line-endings" "retry" "robustness" "utf8"),
    ),
    (
        Kind::Encode,
        files!("encode": "comment" "data" "event" "frames" "id" "injection" "retry"),
    ),
    (
        Kind::Connect,
        files!("connect": "last-event-id" "life" "options" "origin" "reconnect" "response" "streams"),
    ),
];

static CORPUS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let files = FILES
        .iter()
        .flat_map(|(kind, files)| files.iter().map(move |(name, text)| (*kind, *name, *text)));
    files
        .map(|(kind, name, text)| {
            Group::read(kind, name, text).unwrap_or_else(|why| panic!("{kind}/{name}.json: {why}"))
        })
        .collect()
});

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    CORPUS
        .iter()
        .flat_map(|group| group.cases.clone())
        .collect()
});

/// Returns all cases: for decoders, then for encoders, then for clients.
///
/// ```
/// let cases = sse_conformance::cases();
/// assert!(cases.iter().any(|case| case.id == "crlf-cut-between-cr-and-lf"));
/// ```
pub fn cases() -> &'static [Case] {
    &CASES
}

/// Returns all groups, in the same order as the cases.
///
/// ```
/// let names: Vec<&str> = sse_conformance::groups().iter().map(|group| &*group.name).collect();
/// assert_eq!(names[..2], ["bom", "comments"]);
/// ```
pub fn groups() -> &'static [Group] {
    &CORPUS
}

/// Returns the flags and their meanings, from `flags.json`.
///
/// ```
/// assert!(sse_conformance::flags()["nul"].starts_with("Has a NUL"));
/// ```
pub fn flags() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../flags.json")).expect("flags.json is an object of strings")
}

/// A group of cases: one file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Group {
    /// What the cases are for.
    pub kind: Kind,
    /// The name of the file without its extension.
    pub name: String,
    /// A description of the group in one or two sentences.
    pub about: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// What a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: a fourth kind would need another protocol.
pub enum Kind {
    /// Decoders: bytes to events.
    Decode,
    /// Encoders: events to bytes.
    Encode,
    /// Clients: connecting, reconnecting and delivering events.
    Connect,
}

impl Kind {
    /// Returns the name that files, requests and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Decode => "decode",
            Kind::Encode => "encode",
            Kind::Connect => "connect",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One case of the corpus.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Case {
    /// The permanent name of the case. It is never reused, and what it checks never changes.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// The name of its group.
    pub group: String,
    /// The rules of RULES.md that it checks, followed by the sections of the standards.
    pub rules: Vec<String>,
    /// The mistake that it catches.
    pub why: String,
    /// Its flags; see [`flags`].
    pub flags: Vec<String>,
    /// Whether a difference is a violation.
    pub verdict: Verdict,
    /// The input and what is expected.
    pub body: Body,
}

impl Case {
    /// Returns whether the case has this flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}

/// Whether a difference from what is expected is a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: there is no third verdict.
pub enum Verdict {
    /// The standard requires this outcome: a difference is a violation.
    Must,
    /// The standard is open, or only recommends this outcome: a difference is reported, but is not
    /// a violation.
    May,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Must => "must",
            Verdict::May => "may",
        })
    }
}

/// The input of a case and what is expected.
#[derive(Debug, Clone)]
// Exhaustive: one for each kind.
pub enum Body {
    /// For decoders.
    Decode(Decode),
    /// For encoders.
    Encode(Encode),
    /// For clients.
    Connect(Connect),
}

/// A stream, in steps, and the items that are expected after each step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Decode {
    /// The last event ID that the decoder starts with, as after a reconnect.
    pub last_event_id: Option<String>,
    /// The limit on one event, in bytes of decoded text.
    pub limit: Option<usize>,
    /// The kind of memory that the limit applies to. `None` means the heap if there is a limit, and
    /// otherwise either.
    pub storage: Option<Storage>,
    /// The lengths of the regions of fixed memory, instead of a limit. Only in cases with details.
    pub regions: Option<Regions>,
    /// Whether an event whose id has no room is reported without its id, instead of being an error.
    /// Only in cases with details.
    #[serde(default)]
    pub skip_long_ids: bool,
    /// Whether the decoder is asked for details, which the standard does not have.
    #[serde(default)]
    pub details: bool,
    rewrite_line_endings: Option<bool>,
    /// The input, step by step.
    pub steps: Vec<Step>,
    /// The state after the input.
    pub r#final: Final,
}

impl Decode {
    /// Returns the whole input.
    pub fn input(&self) -> Vec<u8> {
        self.steps
            .iter()
            .flat_map(|step| &step.bytes)
            .copied()
            .collect()
    }

    /// Returns whether the input contains a CR.
    pub fn has_cr(&self) -> bool {
        self.steps.iter().any(|step| step.bytes.contains(&b'\r'))
    }

    /// Returns whether the expected items stay the same if each LF of the input is replaced by CR,
    /// or by CRLF.
    pub fn may_rewrite_line_endings(&self) -> bool {
        self.rewrite_line_endings.unwrap_or(!self.has_cr())
    }
}

/// Where a decoder stores the current event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol has no others.
pub enum Storage {
    /// Memory that grows as needed.
    Heap,
    /// Regions of memory of a fixed size.
    Fixed,
}

/// A chunk of the input, and the items that are expected after it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "read::RawStep")]
#[non_exhaustive]
pub struct Step {
    /// The bytes. May be empty.
    pub bytes: Vec<u8>,
    /// The items to be reported after these bytes are fed and before the next ones are.
    pub items: Vec<Item>,
}

/// An item that a decoder reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
// Exhaustive: the protocol has no others.
pub enum Item {
    /// An event.
    Event {
        /// Its type, never empty: the default is `message`.
        event: String,
        /// Its data.
        data: String,
        /// The last event ID at the time of its dispatch.
        #[serde(rename = "lastEventId")]
        last_event_id: String,
    },
    /// A valid `retry` line.
    Retry {
        /// The reconnection time in milliseconds.
        retry: u64,
    },
    /// A comment line.
    Comment {
        /// The text after the colon, unchanged.
        comment: String,
    },
    /// An event or a comment that exceeded the limit.
    Error {
        /// The kind of error. There is only one.
        error: TooLarge,
    },
    /// An item with details, only in answers to requests for details.
    Detailed(DetailedItem),
}

/// The one error that a decoder can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
// Exhaustive: every sequence of bytes is a valid stream.
pub enum TooLarge {
    /// An event or a comment exceeded the limit.
    #[serde(rename = "event-too-large")]
    EventTooLarge,
}

/// The state after the end of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Final {
    /// The last event ID for the next request.
    pub last_event_id: String,
    /// The reconnection time in milliseconds, if the stream has set one.
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub reconnection_time: Option<u64>,
    /// What the decoder tells about the stream as a whole. Only in cases with details.
    pub state: Option<State>,
}

/// Frames to encode, and the expected result.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "read::RawEncode")]
#[non_exhaustive]
pub struct Encode {
    /// The frames, encoded into one stream.
    pub frames: Vec<Frame>,
    /// The expected result.
    pub expected: ExpectedOutput,
}

/// A frame. A field that is `None` is not written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Frame {
    /// The event type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The reconnection time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<u64>,
    /// The comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The expected result of encoding frames.
#[derive(Debug, Clone, PartialEq, Eq)]
// Exhaustive: written or refused.
pub enum ExpectedOutput {
    /// Bytes that decode to these items.
    Items {
        /// The items that a decoder reports for the whole output.
        items: Vec<Item>,
        /// The exact output, if only one is correct.
        bytes: Option<String>,
    },
    /// A frame is refused.
    Refused(Refusal),
}

/// The first frame that an encoder must refuse to write, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
// Exhaustive: adapters construct it.
pub struct Refusal {
    /// The index of the frame, counted from 0.
    pub frame: usize,
    /// The name of the invalid field.
    pub field: String,
}

/// A script of responses for a client, and what the client is expected to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connect {
    /// The URL that the event source is created with.
    pub url: String,
    /// Whether requests to other origins carry credentials.
    #[serde(default)]
    pub with_credentials: bool,
    /// The last event ID of an earlier event source.
    pub last_event_id: Option<String>,
    /// Settings of the client that the standard does not have. `None` for a client as the standard
    /// has it.
    pub options: Option<ClientOptions>,
    /// The outcome of each request, in order.
    pub responses: Vec<Response>,
    /// The event whose handler calls `close()`.
    pub close_on: Option<CloseOn>,
    /// The requests that the client must make.
    pub requests: Vec<ExpectedRequest>,
    /// The events that the user must receive.
    pub log: Vec<LogEntry>,
    /// The final `readyState`.
    pub ready_state: u8,
}

impl Connect {
    /// Returns whether any body contains a CR.
    pub fn has_cr(&self) -> bool {
        self.responses.iter().any(|response| match response {
            Response::Response { chunks, .. } => chunks.iter().any(|chunk| chunk.contains(&b'\r')),
            Response::Failure { .. } => false,
        })
    }
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "read::RawResponse")]
// Exhaustive: there is a response or none.
pub enum Response {
    /// No response.
    Failure {
        /// The reason.
        failure: Failure,
    },
    /// A response, with redirects already followed.
    Response {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// The redirects that led to it: the status and target of each. Only in cases with options.
        redirects: Vec<(u16, String)>,
        /// The final URL, unless that is the URL of the request or of the last redirect.
        url: Option<String>,
        /// The chunks of the body.
        chunks: Vec<Vec<u8>>,
        /// Whether the connection lasts for [`ClientOptions::stable_after_ms`] before the body
        /// ends.
        lasts: bool,
        /// How the body ends.
        end: End,
    },
}

/// The reason for which there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol has no others.
pub enum Failure {
    /// A network error that may not happen next time.
    Network,
    /// The request was aborted, or another attempt is known to be futile.
    Abort,
    /// The client gave up waiting for a response. Only in cases with options.
    Timeout,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol has no others.
pub enum End {
    /// The body is complete.
    Eof,
    /// The body breaks off.
    Error,
    /// The client gave up waiting for more bytes. Only in cases with options.
    Timeout,
    /// The body stays open without more bytes, and the script ends.
    Open,
}

/// The event whose handler calls `close()`: the first one that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CloseOn {
    /// The type of the event. `open` and `error` mean the lifecycle events of the connection.
    pub event: String,
    /// The data of the event, if it must match too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// A request that a client must make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpectedRequest {
    /// The value of the `Last-Event-ID` header, which must be absent if this is `None`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub last_event_id: Option<String>,
    /// The delay before the request in milliseconds, if the case prescribes one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub after_ms: Option<u64>,
    /// Headers that the request must have among others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Names of headers that it must not have. Only in cases with options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_headers: Vec<String>,
    /// The URL of the request, if the case prescribes one. Only in cases with options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An event that the user of a client receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    deny_unknown_fields,
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
// Exhaustive: the standard has no others.
pub enum LogEntry {
    /// `open`: the connection is open.
    Open {
        /// The `readyState` that a handler sees.
        ready_state: u8,
    },
    /// `error`: the connection is lost, or has failed.
    Error {
        /// The `readyState` that a handler sees.
        ready_state: u8,
    },
    /// An event of the stream.
    Message {
        /// Its type.
        event: String,
        /// Its data.
        data: String,
        /// The last event ID at the time of its dispatch.
        last_event_id: String,
        /// The origin of the final URL.
        origin: String,
        /// The `readyState` that a handler sees.
        ready_state: u8,
    },
}
