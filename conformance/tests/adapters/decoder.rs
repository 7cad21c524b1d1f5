//! A decoder that is slow and obviously right, a character at a time, with a switch for each way to get it wrong.
//!
//! Bytes become characters (here and in `utf8`), characters lines (`lines`), lines fields, fields items (`fields`), and what is held is counted (`limit`). Each stage asks `fault` where another implementation
//! goes another way; the names are explained in `faults.rs`.

mod fields;
mod limit;
mod lines;
mod utf8;

use sse_conformance::{Answer, DecodeAnswer, DecodeRequest, Item, Storage};

use super::faults::Fault;
use utf8::Utf8;

const REPLACEMENT: char = '\u{FFFD}';

/// So many steps a decoder with a fault may take: far more than any that takes time in proportion to its input.
const MOST_STEPS: u64 = 200_000_000;

pub(crate) fn decode(request: &DecodeRequest, fault: Fault) -> Answer {
    let mut decoder = Decoder::new(fault);
    decoder.seed(request.last_event_id.as_deref().unwrap_or_default());
    decoder.limit = request.limit;
    decoder.fixed = request.storage == Some(Storage::Fixed);
    let mut chunks: Vec<Vec<Item>> = Vec::new();
    for chunk in &request.chunks {
        chunks.push(decoder.feed(chunk));
        if decoder.steps > MOST_STEPS {
            return Answer::Failed(format!("still at it after {MOST_STEPS} steps"));
        }
    }
    let late = decoder.end();
    match chunks.last_mut() {
        Some(last) => last.extend(late),
        None if late.is_empty() => {}
        None => return Answer::Failed("something came out of nothing".to_owned()),
    }
    if decoder.panicked {
        return Answer::Failed("panicked".to_owned());
    }
    Answer::Decode(DecodeAnswer {
        chunks,
        last_event_id: Some(decoder.last_event_id),
    })
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

/// What follows a CR, or an LF for a decoder that takes LF CR for one line end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Nothing,
    /// An LF belongs to the CR before it.
    Cr,
    /// A fault: the line is not over until it is known whether an LF follows.
    WaitingCr,
    /// A fault: a CR belongs to the LF before it.
    Lf,
    /// A fault: a line end right behind the byte order mark is text.
    Bom,
}

pub(crate) struct Decoder {
    fault: Fault,
    pub(crate) last_event_id: String,
    /// Milliseconds.
    pub(crate) reconnection_time: Option<u64>,
    limit: Option<usize>,
    fixed: bool,
    items: Vec<Item>,
    steps: u64,

    // Bytes to characters.
    chunks: usize,
    bytes: usize,
    /// The first bytes, while they may be a byte order mark; `None` when that is settled.
    start: Option<Vec<u8>>,
    utf8: Utf8,
    muted: bool,
    panicked: bool,

    // Characters to lines.
    after: After,
    /// The name under way, or its value.
    line: String,
    /// Known from the first colon on.
    kind: Option<Kind>,
    value_started: bool,
    /// How long the value is that counts.
    value_len: usize,
    /// The value went over the limit, and the rest of the line is dropped.
    line_dropped: bool,
    line_cut: bool,
    line_bad: bool,

    // Fields to events.
    data: Vec<String>,
    event_type: String,
    id: String,
    /// The id that this block set.
    pending_id: Option<String>,
    pending_retry: Option<u64>,
    skipping: bool,
    held_back: Vec<Item>,
}

impl Decoder {
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            last_event_id: String::new(),
            reconnection_time: None,
            limit: None,
            fixed: false,
            items: Vec::new(),
            steps: 0,
            chunks: 0,
            bytes: 0,
            start: (!fault.is("bom-kept")).then(Vec::new),
            utf8: Utf8::new(fault),
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
            pending_retry: None,
            skipping: false,
            held_back: Vec::new(),
        }
    }

    pub(crate) fn seed(&mut self, id: &str) {
        // A1: the buffer starts with the string.
        self.last_event_id = id.to_owned();
        if !self.fault.is("seed-only-in-the-string") {
            self.id = id.to_owned();
        }
        if self.fault.is("seed-not-used") {
            self.last_event_id.clear();
            self.id.clear();
        }
    }

    /// The id buffer, which is not the id string.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What a client keeps of the stream before, which it must not.
    pub(crate) fn keep_of(&mut self, old: &Self) {
        match self.fault.name() {
            "type-kept-over-connections" => self.event_type.clone_from(&old.event_type),
            "data-kept-over-connections" => self.data.clone_from(&old.data),
            "id-buffer-kept-over-connections" => self.id.clone_from(&old.id),
            "line-kept-over-connections" => {
                self.line.clone_from(&old.line);
                self.kind = old.kind;
                self.value_started = old.value_started;
                // Something was read already.
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

    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Vec<Item> {
        let fault = self.fault;
        let mut chunk = chunk.to_vec();
        if chunk.is_empty() && fault.is("empty-chunk-clears-cr")
            || fault.is("cr-forgotten-between-chunks")
        {
            self.after = After::Nothing;
        }
        if chunk.is_empty() && fault.is("empty-chunk-is-the-end") {
            self.end_open_line();
            self.blank_line();
        }
        if fault.is("chunks-trimmed") {
            while chunk.last() == Some(&b' ') {
                chunk.pop();
            }
        }
        if fault.is("chunks-begin-without-line-ends") {
            while chunk.starts_with(b"\n") {
                chunk.remove(0);
            }
        }
        if !chunk.is_empty() {
            self.first_bytes(&mut chunk);
            self.chunks += 1;
        }
        self.bytes += chunk.len();
        if fault.is("utf8-by-chunk") {
            chunk = String::from_utf8_lossy(&chunk).into_owned().into_bytes();
        }
        if fault.is("line-ends-normalised-by-chunk") {
            let text: Vec<u8> = replaced(&replaced(&chunk, b"\r\n", b"\n"), b"\r", b"\n");
            chunk = text;
        }
        for byte in chunk {
            self.steps += 1;
            self.byte(byte);
        }
        if fault.is("line-scanned-again") {
            self.steps += self.line.len() as u64;
        }
        if fault.is("chunk-ends-the-line") {
            self.end_open_line();
        }
        if fault.is("chunk-ends-the-event")
            && !self.data.is_empty()
            && self.kind.is_none()
            && self.line.is_empty()
        {
            self.blank_line();
        }
        let mut items = std::mem::take(&mut self.items);
        if fault.is("first-event-of-a-chunk-only") {
            let mut seen = false;
            items.retain(|item| {
                !matches!(item, Item::Event { .. }) || !std::mem::replace(&mut seen, true)
            });
        }
        if fault.is("late-by-a-chunk") {
            std::mem::swap(&mut items, &mut self.held_back);
        }
        if fault.is("late-until-the-next-event") {
            self.held_back.append(&mut items);
            let out = self.held_back.len().saturating_sub(1);
            items = self.held_back.drain(..out).collect();
        }
        items
    }

    /// What is done with the beginning of the first chunk, and of others, by those who look for a byte order mark there.
    fn first_bytes(&mut self, chunk: &mut Vec<u8>) {
        const BOM: &[u8] = b"\xEF\xBB\xBF";
        let fault = self.fault;
        let has_bom = chunk.starts_with(BOM);
        if fault.is("bom-in-each-chunk") && has_bom {
            chunk.drain(..3);
        }
        if self.chunks > 0 {
            return;
        }
        if fault.is("bom-in-the-first-chunk-only") {
            if has_bom {
                chunk.drain(..3);
            }
            self.start = None;
        }
        if fault.is("bom-cut-by-one-byte") && has_bom {
            chunk.drain(..1);
            self.start = None;
        }
        if fault.is("bom-panics") && has_bom {
            self.panicked = true;
        }
        if fault.is("utf16-by-bom")
            && (chunk.starts_with(b"\xFF\xFE") || chunk.starts_with(b"\xFE\xFF"))
        {
            *chunk = chunk
                .iter()
                .copied()
                .filter(|byte| byte.is_ascii() && *byte > 0)
                .collect();
        }
    }

    /// The end of the stream: what no blank line completed is discarded, without a word.
    pub(crate) fn end(&mut self) -> Vec<Item> {
        let fault = self.fault;
        if fault.is("end-completes-the-line") {
            self.end_open_line();
        }
        if fault.is("end-dispatches") {
            self.end_open_line();
            self.blank_line();
        }
        if fault.is("end-dispatches-complete-lines") && self.kind.is_none() && self.line.is_empty()
        {
            self.blank_line();
        }
        if fault.is("end-commits-the-id") {
            self.last_event_id.clone_from(&self.id);
        }
        if fault.is("cr-waits-and-is-not-lost") && self.after == After::WaitingCr {
            self.end_line();
        }
        let mut items = std::mem::take(&mut self.held_back);
        items.append(&mut self.items);
        items
    }

    fn byte(&mut self, byte: u8) {
        const BOM: &[u8] = b"\xEF\xBB\xBF";
        let Some(mut start) = self.start.take() else {
            return self.byte_behind_the_start(byte);
        };
        start.push(byte);
        if start == BOM {
            match self.fault.name() {
                "bom-all" => self.start = Some(Vec::new()),
                "bom-eats-a-line-end" => self.after = After::Bom,
                _ => {}
            }
        } else if BOM.starts_with(&start) {
            self.start = Some(start);
        } else {
            let lost = self.fault.is("bom-beginning-lost") && start.len() > 1;
            if self.fault.is("bom-after-line-ends") && (start == b"\n" || start == b"\r") {
                self.start = Some(Vec::new());
            }
            for byte in start.split_off(if lost { start.len() - 1 } else { 0 }) {
                self.byte_behind_the_start(byte);
            }
        }
    }

    fn byte_behind_the_start(&mut self, byte: u8) {
        let byte = match (self.fault.name(), byte) {
            ("nul-ends-lines", 0) => b'\n',
            ("nul-dropped", 0) => return,
            _ => byte,
        };
        for char in self.utf8.byte(byte) {
            if char == REPLACEMENT && self.utf8.broke {
                match self.fault.name() {
                    "utf8-error" => self.too_large(),
                    "utf8-mutes" => self.muted = true,
                    "utf8-line-dropped" => self.line_bad = true,
                    _ => {}
                }
            }
            if !self.muted {
                self.char(char);
            }
        }
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(from) {
            out.extend(to);
            rest = behind;
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out
}
