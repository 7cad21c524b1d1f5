//! The reference decoder, which reads one character at a time, with a switch for each mutation.
//!
//! The stages: chunks to bytes and characters (`bytes`, `utf8`), characters to lines (`lines`),
//! lines to names and values (`names`), fields to items (`fields`). `limit` counts the bytes of the
//! current event, and `details` reports what the standard does not have.

mod bytes;
mod details;
mod fields;
mod limit;
mod lines;
mod names;
mod utf8;

use sse_conformance::{Answer, DecodeAnswer, DecodeRequest, Item, Regions, Storage};

use super::mutations::Mutation;
use details::Details;
use utf8::Utf8;

const REPLACEMENT: char = '\u{FFFD}';

/// The greatest number of steps for one input, far more than a decoder in linear time needs.
/// Mutants may exceed it.
const MAX_STEPS: u64 = 200_000_000;

pub(crate) fn decode(request: &DecodeRequest, mutation: Mutation) -> Answer {
    let mut decoder = Decoder::new(mutation);
    decoder.seed(request.last_event_id.as_deref().unwrap_or_default());
    decoder.limit = request.limit;
    if request.storage == Some(Storage::Fixed) {
        let same = |limit| Regions {
            data: limit,
            event: limit,
            id: limit,
        };
        decoder.regions = request.regions.or(request.limit.map(same));
    }
    decoder.skip_long_ids = request.skip_long_ids;
    decoder.details.wanted = request.details;
    let mut chunks: Vec<Vec<Item>> = Vec::new();
    for chunk in &request.chunks {
        chunks.push(decoder.feed(chunk));
        if decoder.steps > MAX_STEPS {
            return Answer::Failed(format!("not done after {MAX_STEPS} steps"));
        }
    }
    let late = decoder.end();
    match chunks.last_mut() {
        Some(last) => last.extend(late),
        None if late.is_empty() => {}
        None => return Answer::Failed("items without any input".to_owned()),
    }
    if decoder.panicked {
        return Answer::Failed("panicked".to_owned());
    }
    let state = decoder.state();
    let answer = DecodeAnswer {
        chunks,
        last_event_id: Some(decoder.last_event_id),
    };
    match request.details {
        true => Answer::DetailedDecode(answer, state),
        false => Answer::Decode(answer),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Comment,
    Data,
    Event,
    Id,
    Retry,
    Unknown,
}

/// State after a character on which the meaning of the next one depends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Nothing,
    /// An LF belongs to the preceding CR.
    Cr,
    /// Mutation: the line is not complete until it is known whether an LF follows.
    WaitingCr,
    /// Mutation: a CR belongs to the preceding LF.
    Lf,
    /// Mutation: a line terminator right after the byte order mark is text.
    Bom,
}

pub(crate) struct Decoder {
    mutation: Mutation,
    pub(crate) last_event_id: String,
    /// Milliseconds.
    pub(crate) reconnection_time: Option<u64>,
    limit: Option<usize>,
    /// With fixed memory.
    regions: Option<Regions>,
    skip_long_ids: bool,
    details: Details,
    items: Vec<Item>,
    steps: u64,

    // Bytes to characters.
    chunks: usize,
    bytes: usize,
    /// The first bytes, while they may be a byte order mark; `None` once that is decided.
    start: Option<Vec<u8>>,
    utf8: Utf8,
    muted: bool,
    panicked: bool,

    // Characters to lines.
    after: After,
    /// The name of the current field, or after its colon the value.
    line: String,
    /// Known from the first colon.
    kind: Option<Kind>,
    value_started: bool,
    /// The length of the value that counts towards the limit.
    value_len: usize,
    /// The value exceeded the limit, and the rest of the line is dropped.
    line_dropped: bool,
    line_cut: bool,
    line_bad: bool,

    // Fields to events.
    data: Vec<String>,
    event_type: String,
    id: String,
    /// The id that the current block has set.
    pending_id: Option<String>,
    /// The last id of the current block was too long.
    id_too_long: bool,
    pending_retry: Option<u64>,
    skipping: bool,
    held_back: Vec<Item>,
}

impl Decoder {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            mutation,
            last_event_id: String::new(),
            reconnection_time: None,
            limit: None,
            regions: None,
            skip_long_ids: false,
            details: Details::default(),
            items: Vec::new(),
            steps: 0,
            chunks: 0,
            bytes: 0,
            start: (!mutation.is("bom-kept")).then(Vec::new),
            utf8: Utf8::new(mutation),
            muted: false,
            panicked: false,
            after: After::Nothing,
            line: String::new(),
            kind: None,
            value_started: false,
            value_len: 0,
            line_dropped: false,
            line_cut: false,
            line_bad: false,
            data: Vec::new(),
            event_type: String::new(),
            id: String::new(),
            pending_id: None,
            id_too_long: false,
            pending_retry: None,
            skipping: false,
            held_back: Vec::new(),
        }
    }

    pub(crate) fn seed(&mut self, id: &str) {
        // A1: the buffer starts with the string.
        self.last_event_id = id.to_owned();
        if !self.mutation.is("seed-only-in-the-string") {
            self.id = id.to_owned();
        }
        if self.mutation.is("seed-not-used") {
            self.last_event_id.clear();
            self.id.clear();
        }
    }

    /// The last event ID buffer, as opposed to the last event ID string.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Mutations: keeps state of the previous stream.
    pub(crate) fn keep_state_of(&mut self, old: &Self) {
        match self.mutation.name() {
            "type-kept-over-connections" => self.event_type.clone_from(&old.event_type),
            "data-kept-over-connections" => self.data.clone_from(&old.data),
            "id-buffer-kept-over-connections" => self.id.clone_from(&old.id),
            "line-kept-over-connections" => {
                self.line.clone_from(&old.line);
                self.kind = old.kind;
                self.value_started = old.value_started;
                // No byte order mark can follow in the middle of a line.
                self.start = None;
            }
            "bytes-kept-over-connections" => {
                (self.utf8.code_point, self.utf8.seen, self.utf8.needed) =
                    (old.utf8.code_point, old.utf8.seen, old.utf8.needed);
                (self.utf8.lower, self.utf8.upper) = (old.utf8.lower, old.utf8.upper);
                self.start.clone_from(&old.start);
                if self.start.is_none() {
                    self.start = Some(Vec::new());
                }
                if self.utf8.needed > 0 {
                    self.start = None;
                }
            }
            _ => {}
        }
    }

    pub(crate) fn expect_no_bom(&mut self) {
        self.start = None;
    }
}
