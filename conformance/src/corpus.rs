//! The corpus as data.

mod options;
mod read;

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

pub use options::{ClientOptions, ReconnectTo, Statuses};

/// The files of `$kind`, by their names.
macro_rules! files {
    ($kind:literal: $($group:literal)*) => {
        &[$(($group, include_str!(concat!("../", $kind, "/", $group, ".json")))),*]
    };
}

/// Each file by its kind and its name. A test compares this with the directories.
const FILES: [(Kind, &[(&str, &str)]); 3] = [
    (
        Kind::Decode,
        files!("decode": "bom" "comments" "data" "dispatch" "end-of-input" "event" "fields" "id" "limits"
            "line-endings" "retry" "robustness" "utf8"),
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

/// All cases: those for decoders, then those for encoders, then those for clients.
///
/// ```
/// let cases = sse_conformance::cases();
/// assert!(cases.iter().any(|case| case.id == "crlf-cut-between-cr-and-lf"));
/// ```
pub fn cases() -> &'static [Case] {
    &CASES
}

/// All files of cases, in the same order.
///
/// ```
/// let names: Vec<&str> = sse_conformance::groups().iter().map(|group| &*group.name).collect();
/// assert_eq!(names[..2], ["bom", "comments"]);
/// ```
pub fn groups() -> &'static [Group] {
    &CORPUS
}

/// What each flag means: the dictionary `flags.json`.
///
/// ```
/// assert!(sse_conformance::flags()["nul"].starts_with("Has a NUL"));
/// ```
pub fn flags() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../flags.json")).expect("flags.json is an object of strings")
}

/// A file of cases.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Group {
    /// Whom the cases are for.
    pub kind: Kind,
    /// The name of the file without its extension.
    pub name: String,
    /// What the cases have in common, in a sentence or two.
    pub about: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// What a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: a fourth kind would be another protocol.
pub enum Kind {
    /// Decoders: bytes to events.
    Decode,
    /// Encoders: events to bytes.
    Encode,
    /// Clients: what they do from request to request.
    Connect,
}

impl Kind {
    /// The word that files, requests and reports use.
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
    /// The name of the case, for ever: never reused, and what it checks never changes.
    pub id: String,
    /// Whom it is for.
    pub kind: Kind,
    /// The file it stands in, without the extension.
    pub group: String,
    /// The rules of RULES.md that it checks, then the sections of the standards.
    pub rules: Vec<String>,
    /// The faulty reading that it catches.
    pub why: String,
    /// What is special about it; see [`flags`].
    pub flags: Vec<String>,
    /// Whether another outcome is a violation.
    pub verdict: Verdict,
    /// Input and expectation.
    pub body: Body,
}

impl Case {
    /// Whether the case has this flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}

/// How a difference counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: there is no third way.
pub enum Verdict {
    /// The standard decides: a difference is a violation.
    Must,
    /// The standard is open or only recommends: a difference is worth knowing.
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

/// What is put in, and what has to come out.
#[derive(Debug, Clone)]
// Exhaustive: as many as there are kinds.
pub enum Body {
    /// For decoders.
    Decode(Decode),
    /// For encoders.
    Encode(Encode),
    /// For clients.
    Connect(Connect),
}

/// A stream, in pieces, and what comes out of each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Decode {
    /// The last event id that the decoder starts with, as after a reconnect.
    pub last_event_id: Option<String>,
    /// How many bytes of decoded text one event may hold.
    pub limit: Option<usize>,
    /// What the limit is a limit of. `None`: the heap if there is a limit, else either.
    pub storage: Option<Storage>,
    rewrite_line_endings: Option<bool>,
    /// The input, piece by piece.
    pub steps: Vec<Step>,
    /// What stays after the input.
    pub r#final: Final,
}

impl Decode {
    /// All pieces of the input in one.
    pub fn input(&self) -> Vec<u8> {
        self.steps
            .iter()
            .flat_map(|step| &step.bytes)
            .copied()
            .collect()
    }

    /// Whether the input has a CR anywhere.
    pub fn has_cr(&self) -> bool {
        self.steps.iter().any(|step| step.bytes.contains(&b'\r'))
    }

    /// Whether each LF of the input may become a CR, or a CRLF, with the same items.
    pub fn may_rewrite_line_endings(&self) -> bool {
        self.rewrite_line_endings.unwrap_or(!self.has_cr())
    }
}

/// Where a decoder keeps what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol knows no other.
pub enum Storage {
    /// Memory that grows.
    Heap,
    /// Regions of memory of a fixed length.
    Fixed,
}

/// A piece of the input.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "read::RawStep")]
#[non_exhaustive]
pub struct Step {
    /// The bytes; there may be none.
    pub bytes: Vec<u8>,
    /// What is to come out when they were fed and before the next ones are.
    pub items: Vec<Item>,
}

/// What comes out of a decoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
// Exhaustive: the protocol knows no other.
pub enum Item {
    /// An event.
    Event {
        /// Its type, never empty: the default is `message`.
        event: String,
        /// Its data.
        data: String,
        /// The last event id string when it was dispatched.
        #[serde(rename = "lastEventId")]
        last_event_id: String,
    },
    /// A valid `retry` line, in milliseconds.
    Retry {
        /// The reconnection time that it sets.
        retry: u64,
    },
    /// A comment line.
    Comment {
        /// The text behind the colon, as it stands.
        comment: String,
    },
    /// An event or a comment that went over the limit.
    Error {
        /// Which error it is: there is one.
        error: TooLarge,
    },
}

/// The one error that a decoder can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
// Exhaustive: every sequence of bytes is a valid stream.
pub enum TooLarge {
    /// Something went over the limit.
    #[serde(rename = "event-too-large")]
    EventTooLarge,
}

/// What stays when a stream has ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Final {
    /// The last event id for the next request.
    pub last_event_id: String,
    /// The reconnection time in milliseconds, if the stream set one.
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    pub reconnection_time: Option<u64>,
}

/// Frames to write, and what has to become of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "read::RawEncode")]
#[non_exhaustive]
pub struct Encode {
    /// The frames, written into one stream.
    pub frames: Vec<Frame>,
    /// What has to become of them.
    pub due: Encoded,
}

/// One frame. A field that is `None` is not written at all.
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

/// What has to become of frames.
#[derive(Debug, Clone, PartialEq, Eq)]
// Exhaustive: written or refused.
pub enum Encoded {
    /// Bytes that decode to these items.
    Items {
        /// What a decoder makes of all the bytes together.
        items: Vec<Item>,
        /// The bytes, where there is one spelling only.
        bytes: Option<String>,
    },
    /// A refusal.
    Refused(Refusal),
}

/// The first frame that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
// Exhaustive: adapters make it.
pub struct Refusal {
    /// Which frame it is, counted from 0.
    pub frame: usize,
    /// The field that is to blame.
    pub field: String,
}

/// A script of what a client meets, and what has to come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connect {
    /// What the event source is made with.
    pub url: String,
    /// Whether credentials go along to other origins.
    #[serde(default)]
    pub with_credentials: bool,
    /// The last event id of an earlier life.
    pub last_event_id: Option<String>,
    /// What the client is told to do beyond the standard. Without options it is not told anything.
    pub options: Option<ClientOptions>,
    /// What the requests meet, in order.
    pub responses: Vec<Response>,
    /// When `close()` is to be called.
    pub close_on: Option<CloseOn>,
    /// The requests that have to be made.
    pub requests: Vec<Sent>,
    /// What the user has to hear.
    pub log: Vec<Entry>,
    /// The state in the end.
    pub ready_state: u8,
}

impl Connect {
    /// Whether any body has a CR.
    pub fn has_cr(&self) -> bool {
        self.responses.iter().any(|response| match response {
            Response::Response { chunks, .. } => chunks.iter().any(|chunk| chunk.contains(&b'\r')),
            Response::Failure { .. } => false,
        })
    }
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "read::RawResponse")]
// Exhaustive: a response or none.
pub enum Response {
    /// None.
    Failure {
        /// Why there is none.
        failure: Failure,
    },
    /// A response, redirects already followed.
    Response {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// The redirects that led to it, each with its status and where it led. Only in cases with options.
        redirects: Vec<(u16, String)>,
        /// The final URL, if it is not that of the request or of the last redirect.
        url: Option<String>,
        /// The body, as it arrives.
        chunks: Vec<Vec<u8>>,
        /// Whether the connection has lasted for [`ClientOptions::stable_after_ms`] before the body ends.
        lasts: bool,
        /// How the body ends.
        end: End,
    },
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol knows no other.
pub enum Failure {
    /// It may go better next time.
    Network,
    /// It was meant, or will not.
    Abort,
    /// The client's time for a response was over. Only in cases with options.
    Timeout,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol knows no other.
pub enum End {
    /// It is complete.
    Eof,
    /// It breaks off.
    Error,
    /// The client's time for another byte was over. Only in cases with options.
    Timeout,
    /// No more comes, and the script ends there.
    Open,
}

/// When `close()` is to be called: in the handler of the first such event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CloseOn {
    /// The type of the event; `open` and `error` are the signals of the connection.
    pub event: String,
    /// The data of the event, if it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// A request that a client has to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Sent {
    /// The header `Last-Event-ID`, if it is to be there.
    #[serde(deserialize_with = "Option::deserialize")]
    pub last_event_id: Option<String>,
    /// The wait before it in milliseconds, if it is not the client's own.
    #[serde(deserialize_with = "Option::deserialize")]
    pub after_ms: Option<u64>,
    /// Headers that have to be among those of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Names of headers that must not be among them. Only in cases with options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_headers: Vec<String>,
    /// Where it has to go, if it matters. Only in cases with options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What the user of a client hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    deny_unknown_fields,
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
// Exhaustive: the standard knows no other.
pub enum Entry {
    /// The connection is open.
    Open {
        /// The state that a handler sees.
        ready_state: u8,
    },
    /// The connection is lost, for now or for good.
    Error {
        /// The state that a handler sees.
        ready_state: u8,
    },
    /// An event of the stream.
    Message {
        /// Its type.
        event: String,
        /// Its data.
        data: String,
        /// The last event id string when it was dispatched.
        last_event_id: String,
        /// The origin of the final URL.
        origin: String,
        /// The state that a handler sees.
        ready_state: u8,
    },
}
