//! A decoder that is slow and obviously right, a character at a time, with a switch for each way to get it wrong.
//!
//! Bytes become characters, characters lines, lines fields, fields items. Each stage asks `fault` where another implementation
//! goes another way; the names are explained in `faults.rs`.

use std::iter;

use sse_conformance::{Answer, DecodeAnswer, DecodeRequest, Item, Storage, TooLarge};

use super::faults::Fault;

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

    // Bytes to characters.

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

    // Characters to lines.

    fn char(&mut self, char: char) {
        let fault = self.fault;
        if char == '\u{FEFF}' {
            let at_start = self.line.is_empty() && self.kind.is_none();
            if fault.is("bom-everywhere") || fault.is("bom-in-each-line") && at_start {
                return;
            }
        }
        let after = std::mem::replace(&mut self.after, After::Nothing);
        if fault.is("cr-remembered-for-ever") {
            self.after = after;
        }
        if after == After::WaitingCr {
            self.end_line();
            if char == '\n' {
                return;
            }
        }
        match (after, char) {
            (After::Bom, '\r' | '\n') => self.text(char),
            (After::Lf, '\r') => {}
            (After::Cr, '\n') if !fault.is("crlf-is-two") => {
                if fault.is("cr-swallows-all-lf") {
                    self.after = After::Cr;
                } else {
                    self.after = After::Nothing;
                }
            }
            (_, '\n') if fault.is("only-cr-ends-lines") => {}
            (_, '\n') => {
                self.end_line();
                if fault.is("lf-cr-is-one") {
                    self.after = After::Lf;
                }
            }
            (_, '\r') => match fault.name() {
                "cr-is-text" => self.text(char),
                "cr-dropped" => {}
                "cr-waits" | "cr-waits-and-is-not-lost" => self.after = After::WaitingCr,
                _ => {
                    self.end_line();
                    self.after = After::Cr;
                }
            },
            _ if self.is_odd_line_end(char) => self.end_line(),
            _ => self.text(char),
        }
        if fault.is("line-cut-at-1024") && self.line.len() > 1024 {
            self.line.pop();
        }
        if fault.is("line-of-64-kib-is-an-error") && self.line.len() == 65_536 {
            self.too_large();
        }
    }

    fn is_odd_line_end(&self, char: char) -> bool {
        match self.fault.name() {
            "vt-and-ff-end-lines" => matches!(char, '\x0B' | '\x0C'),
            "nel-ends-lines" => char == '\u{85}',
            "ls-and-ps-end-lines" => matches!(char, '\u{2028}' | '\u{2029}'),
            "information-separators-end-lines" => matches!(char, '\x1C'..='\x1E'),
            "low-byte-ends-lines" => {
                u32::from(char) > 0xFF && matches!(u32::from(char) & 0xFF, 0x0A | 0x0D)
            }
            _ => false,
        }
    }

    /// A character that ends no line.
    fn text(&mut self, char: char) {
        let fault = self.fault;
        let Some(kind) = self.kind else {
            if char != ':' || fault.is("split-at-the-last-colon") {
                self.line.push(char);
                return;
            }
            let name = std::mem::take(&mut self.line);
            self.start_value(&name);
            return;
        };
        if self.skipping && matches!(kind, Kind::Data | Kind::Event) {
            return;
        }
        let at_start = !std::mem::replace(&mut self.value_started, true);
        if at_start {
            if kind != Kind::Comment {
                let is_dropped = match char {
                    ' ' if kind == Kind::Retry => !fault.is("retry-behind-a-space-ignored"),
                    ' ' => !fault.is("space-kept"),
                    '\t' => fault.is("tab-dropped"),
                    '\u{A0}' | '\u{3000}' => fault.is("unicode-space-dropped"),
                    _ => false,
                };
                if is_dropped {
                    self.value_started = !fault.is("all-leading-spaces-dropped");
                    if fault.is("limit-space-counts") {
                        self.value_len += 1;
                        self.check_limit();
                    }
                    return;
                }
            } else if char == ' ' && fault.is("comment-without-its-space") {
                return;
            }
        }
        if kind == Kind::Unknown && fault.is("limit-unknown-fields-count") {
            self.value_len += char.len_utf8();
            self.check_limit();
        }
        if self.line_dropped || kind == Kind::Unknown {
            return;
        }
        self.line.push(char);
        if kind == Kind::Retry && !fault.is("limit-retry-counts") {
            return;
        }
        self.value_len += if fault.is("limit-counts-characters") {
            1
        } else {
            char.len_utf8()
        };
        self.check_limit();
        if self.line_cut {
            self.line.pop();
        } else if self.line_dropped {
            self.line.clear();
            self.value_len = 0;
        }
    }

    fn start_value(&mut self, name: &str) {
        let kind = self.kind_of(name);
        self.kind = Some(kind);
        self.value_started = false;
        self.value_len = 0;
        if kind == Kind::Data && !self.data.is_empty() && !self.skipping {
            self.check_limit();
        }
    }

    fn kind_of(&self, name: &str) -> Kind {
        const NAMES: [(&str, Kind); 4] = [
            ("data", Kind::Data),
            ("event", Kind::Event),
            ("id", Kind::Id),
            ("retry", Kind::Retry),
        ];
        let fault = self.fault;
        if name.is_empty() {
            return match fault.name() {
                "comment-is-a-field" => Kind::Unknown,
                _ => Kind::Comment,
            };
        }
        if fault.is("comment-behind-spaces") && name.trim().is_empty() {
            return Kind::Comment;
        }
        let name = match fault.name() {
            "name-in-any-case" => name.to_lowercase(),
            "name-trimmed" => name.trim().to_owned(),
            "name-trimmed-at-its-end" => name.trim_end().to_owned(),
            "name-trimmed-at-its-start" => name.trim_start().to_owned(),
            "name-cut-at-nul" => name.split('\0').next().unwrap_or_default().to_owned(),
            "name-without-nul" => name.replace('\0', ""),
            "name-without-bad-utf8" => name.replace(REPLACEMENT, ""),
            "name-without-bom" => name.replace('\u{FEFF}', ""),
            _ => name.to_owned(),
        };
        let same = |known: &str| match fault.name() {
            "name-by-its-beginning" => name.starts_with(known),
            "name-abbreviated" => known.starts_with(&*name),
            "name-by-its-first-letter" => known.chars().next() == name.chars().next(),
            _ => known == name,
        };
        NAMES
            .into_iter()
            .find(|(known, _)| same(known))
            .map_or(Kind::Unknown, |(_, kind)| kind)
    }

    fn end_open_line(&mut self) {
        if !self.line.is_empty() || self.kind.is_some() {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let fault = self.fault;
        if fault.is("split-at-the-last-colon") && self.kind.is_none() {
            let line = std::mem::take(&mut self.line);
            match line
                .strip_prefix(':')
                .map(|text| ("", text))
                .or_else(|| line.rsplit_once(':'))
            {
                Some((name, value)) => {
                    self.start_value(name);
                    value.chars().for_each(|char| self.text(char));
                }
                None => self.line = line,
            }
        }
        if self.line_bad {
            return self.clear_line();
        }
        let (kind, mut value) = match self.kind {
            Some(kind) => (kind, self.line.clone()),
            None if self.is_blank() => {
                self.clear_line();
                return self.blank_line();
            }
            None => {
                let line = std::mem::take(&mut self.line);
                let kind = match fault.name() {
                    "no-colon-ignored" => Kind::Unknown,
                    "no-colon-is-an-error" => {
                        self.too_large();
                        Kind::Unknown
                    }
                    _ => self.kind_of(&line),
                };
                let kind = if kind == Kind::Comment {
                    Kind::Unknown
                } else {
                    kind
                };
                if kind == Kind::Data && !self.data.is_empty() && !self.skipping {
                    self.kind = Some(kind);
                    self.check_limit();
                }
                let value = match fault.name() {
                    "no-colon-value-is-the-line" => line,
                    "no-colon-event-ignored" if kind == Kind::Event => self.event_type.clone(),
                    _ => String::new(),
                };
                (kind, value)
            }
        };
        if fault.is("limit-at-the-line-end") {
            self.value_len = value.len();
            self.check_limit_now();
        }
        let dropped = self.line_dropped;
        self.clear_line();
        if kind == Kind::Unknown && fault.is("unknown-field-is-an-error") {
            self.too_large();
        }
        if kind == Kind::Unknown && fault.is("unknown-field-drops-the-event") {
            self.data.clear();
        }
        if dropped && kind != Kind::Unknown {
            return;
        }
        if kind != Kind::Comment {
            match fault.name() {
                "value-ends-at-a-colon" => {
                    value = value.split(':').next().unwrap_or_default().to_owned()
                }
                "value-percent-decoded" => {
                    value = value
                        .replace("%20", " ")
                        .replace("%0A", "\n")
                        .replace("%41", "A")
                }
                "value-unescaped" => value = value.replace("\\n", "\n"),
                "value-unquoted" => value = value.trim_matches('"').to_owned(),
                "value-trimmed-at-its-end" if kind != Kind::Retry => {
                    value = value.trim_end_matches(' ').to_owned()
                }
                "value-composed" => {
                    value = value
                        .replace("e\u{301}", "\u{E9}")
                        .replace("a\u{308}", "\u{E4}")
                }
                _ => {}
            }
        }
        match kind {
            Kind::Comment => self.comment(value),
            Kind::Data => self.data_field(value),
            Kind::Event => self.event_field(value),
            Kind::Id => self.id_field(value),
            Kind::Retry => self.retry_field(&value),
            Kind::Unknown => {}
        }
    }

    fn clear_line(&mut self) {
        self.line.clear();
        self.kind = None;
        self.value_len = 0;
        self.line_dropped = false;
        self.line_cut = false;
        self.line_bad = false;
    }

    fn is_blank(&self) -> bool {
        let line = match self.fault.name() {
            "line-of-spaces-is-blank" => self.line.trim_matches(' '),
            "line-of-tabs-is-blank" => self.line.trim_matches(['\t', ' ']),
            "line-of-white-space-is-blank" => self.line.trim(),
            "line-of-nul-is-blank" => self.line.trim_matches('\0'),
            _ => &self.line,
        };
        line.is_empty()
    }

    // Fields to events.

    fn comment(&mut self, comment: String) {
        match self.fault.name() {
            "comments-not-handed-out" => return,
            "comment-resets-the-type" => self.event_type.clear(),
            "comment-resets-the-data" => self.data.clear(),
            "comment-is-data" => self.data.push(comment.clone()),
            "empty-comments-not-handed-out" if comment.is_empty() => return,
            _ => {}
        }
        let is_empty = comment.is_empty();
        self.items.push(Item::Comment { comment });
        if is_empty && self.fault.is("empty-comment-is-a-blank-line") {
            self.blank_line();
        }
    }

    fn data_field(&mut self, value: String) {
        if self.skipping {
            return;
        }
        match self.fault.name() {
            "data-replaced" => self.data = vec![value],
            "data-joined-without-lf" if !self.data.is_empty() => self.data[0] += &value,
            "data-empty-lines-dropped" if value.is_empty() && !self.data.is_empty() => {}
            "data-without-nul" => self.data.push(value.replace('\0', "")),
            _ => self.data.push(value),
        }
    }

    fn event_field(&mut self, value: String) {
        if self.skipping {
            return;
        }
        let old = std::mem::take(&mut self.event_type);
        self.event_type = match self.fault.name() {
            "event-first-wins" if !old.is_empty() => old,
            "event-empty-does-not-reset" if value.is_empty() => old,
            "event-appended" => old + &value,
            "event-trimmed" => value.trim().to_owned(),
            "event-in-lower-case" => value.to_lowercase(),
            "event-open-and-error-ignored" if value == "open" || value == "error" => old,
            "event-cut-at-nul" => value.split('\0').next().unwrap_or_default().to_owned(),
            "event-behind-data-ignored" if !self.data.is_empty() => old,
            _ => value,
        };
    }

    fn id_field(&mut self, value: String) {
        let fault = self.fault;
        if self.skipping && fault.is("limit-ids-lost") {
            return;
        }
        let mut value = value;
        if value.contains('\0') {
            value = match fault.name() {
                "id-with-nul-kept" => value,
                "id-with-nul-resets" => String::new(),
                "id-cut-at-nul" => value.split('\0').next().unwrap_or_default().to_owned(),
                "id-without-nul" => value.replace('\0', ""),
                "id-of-nul-sets-it" if value.starts_with('\0') => value,
                _ => return,
            };
        }
        match fault.name() {
            "id-empty-ignored" if value.is_empty() => return,
            "id-trimmed" => value = value.trim().to_owned(),
            "id-first-wins" if self.pending_id.is_some() => return,
            "id-of-digits-only" if !value.bytes().all(|byte| byte.is_ascii_digit()) => return,
            "id-as-a-number" => {
                if let Ok(number) = value.parse::<u64>() {
                    value = number.to_string();
                }
            }
            "id-behind-data-ignored" if !self.data.is_empty() => return,
            "id-committed-at-once" => self.last_event_id.clone_from(&value),
            _ => {}
        }
        self.id.clone_from(&value);
        self.pending_id = Some(value);
    }

    fn retry_field(&mut self, value: &str) {
        let fault = self.fault;
        if self.skipping && fault.is("limit-retries-lost") {
            return;
        }
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Saturates: A4.
        let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
        let mut time = if is_digits(value) {
            Some(number(value))
        } else {
            let unsigned = value.trim_start_matches('+');
            match fault.name() {
                "retry-trimmed" if is_digits(value.trim()) => Some(number(value.trim())),
                "retry-with-plus" if is_digits(unsigned) => Some(number(unsigned)),
                "retry-negative-is-zero" if value.strip_prefix('-').is_some_and(is_digits) => {
                    Some(0)
                }
                "retry-up-to-the-first-other" => {
                    let digits: String = value
                        .trim_start()
                        .chars()
                        .take_while(char::is_ascii_digit)
                        .collect();
                    is_digits(&digits).then(|| number(&digits))
                }
                "retry-as-a-float" => match value.trim().parse::<f64>() {
                    Ok(float) if float.is_finite() => Some(float as u64),
                    _ => None,
                },
                "retry-hexadecimal" => value
                    .strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok()),
                "retry-with-underscores" if is_digits(&value.replace('_', "")) => {
                    Some(number(&value.replace('_', "")))
                }
                "retry-with-any-digits" => digits_of_any_script(value),
                "retry-before-nul" if is_digits(value.trim_end_matches('\0')) => {
                    Some(number(value.trim_end_matches('\0')))
                }
                "retry-bad-resets" => {
                    self.reconnection_time = None;
                    return self.items.push(Item::Retry { retry: 3000 });
                }
                "retry-bad-is-an-error" => return self.too_large(),
                "retry-empty-is-zero" if value.is_empty() => Some(0),
                _ => None,
            }
        };
        time = time.and_then(|time| match fault.name() {
            "retry-octal" if value.starts_with('0') => u64::from_str_radix(value, 8).ok(),
            "retry-in-seconds" => Some(time.saturating_mul(1000)),
            "retry-wraps-at-32-bits" => Some(time & u64::from(u32::MAX)),
            "retry-of-31-bits" => Some(time.min(0x7FFF_FFFF)),
            "retry-too-large-is-lost" => value.parse().ok(),
            "retry-zero-ignored" if time == 0 => None,
            "retry-of-500-at-least" => Some(time.max(500)),
            "retry-of-ten-digits" if value.len() > 10 => None,
            "retry-needs-data" if self.data.is_empty() => None,
            _ => Some(time),
        });
        let Some(retry) = time else {
            return;
        };
        if fault.is("retry-at-the-blank-line") {
            self.pending_retry = Some(retry);
            return;
        }
        if fault.is("retry-dispatches") {
            self.blank_line();
        }
        if fault.is("retry-drops-the-event") {
            self.data.clear();
        }
        self.reconnection_time = Some(retry);
        self.items.push(Item::Retry { retry });
    }

    fn blank_line(&mut self) {
        let fault = self.fault;
        let skipping = std::mem::replace(&mut self.skipping, false);
        if skipping && fault.is("limit-skips-for-ever") {
            self.skipping = true;
        }
        if let Some(retry) = self.pending_retry.take() {
            self.reconnection_time = Some(retry);
            self.items.push(Item::Retry { retry });
        }
        let has_data = match fault.name() {
            "data-empty-not-dispatched" => self.data.iter().any(|line| !line.is_empty()),
            "type-alone-dispatches" => !self.data.is_empty() || !self.event_type.is_empty(),
            "id-alone-dispatches" => !self.data.is_empty() || self.pending_id.is_some(),
            "blank-line-dispatches-once-there-is-an-id" => {
                !self.data.is_empty() || !self.id.is_empty()
            }
            "blank-line-dispatches" => true,
            _ => !self.data.is_empty(),
        };
        let before = self.last_event_id.clone();
        // "Set the last event ID string to the value of the last event ID buffer", with or without data.
        match fault.name() {
            "id-without-data-dropped" if !has_data => self.id.clone_from(&self.last_event_id),
            "id-without-data-pending" if !has_data => {}
            "limit-id-not-committed" if skipping => self.id.clone_from(&self.last_event_id),
            _ => self.last_event_id.clone_from(&self.id),
        }
        if fault.is("id-buffer-reset") {
            self.id.clear();
        }
        let pending = self.pending_id.take();
        let mut data = std::mem::take(&mut self.data);
        let event_type = std::mem::take(&mut self.event_type);
        match fault.name() {
            "type-kept-after-dispatch" if has_data => self.event_type.clone_from(&event_type),
            "type-kept-without-data" if !has_data => self.event_type.clone_from(&event_type),
            "data-kept-after-dispatch" => self.data.clone_from(&data),
            _ => {}
        }
        if !has_data || skipping {
            return;
        }
        match fault.name() {
            "data-without-trailing-lf" => {
                while data.len() > 1 && data.last().is_some_and(String::is_empty) {
                    data.pop();
                }
            }
            "data-without-leading-lf" => {
                while data.len() > 1 && data[0].is_empty() {
                    data.remove(0);
                }
            }
            "data-with-trailing-lf" => data.push(String::new()),
            _ => {}
        }
        let mut data = data.join(if fault.is("data-joined-by-crlf") {
            "\r\n"
        } else {
            "\n"
        });
        match fault.name() {
            "data-trimmed" => data = data.trim().to_owned(),
            "data-cut-at-nul" => data = data.split('\0').next().unwrap_or_default().to_owned(),
            _ => {}
        }
        let event = match fault.name() {
            "type-has-no-default" => event_type,
            "type-is-always-message" => "message".to_owned(),
            _ if event_type.is_empty() => "message".to_owned(),
            _ => event_type,
        };
        let last_event_id = match fault.name() {
            "id-not-inherited" => pending.unwrap_or_default(),
            "id-of-the-event-before" => before,
            _ => self.last_event_id.clone(),
        };
        self.items.push(Item::Event {
            event,
            data,
            last_event_id,
        });
    }

    // The limit.

    fn check_limit(&mut self) {
        if !self.fault.is("limit-at-the-line-end") {
            self.check_limit_now();
        }
    }

    /// Called whenever something grew.
    fn check_limit_now(&mut self) {
        let fault = self.fault;
        if self.line_dropped || !self.is_over() {
            return;
        }
        let kind = self.kind;
        if kind == Some(Kind::Comment) {
            if !fault.is("limit-silent") {
                self.too_large();
            }
            self.line_dropped = true;
            if fault.is("limit-comment-drops-the-event") {
                self.skipping = true;
                self.data.clear();
                self.event_type.clear();
            }
            return;
        }
        if self.skipping {
            if fault.is("limit-error-for-each-line") {
                self.too_large();
            }
            self.line_dropped = true;
            return;
        }
        match fault.name() {
            "limit-cuts" => {
                self.line_cut = true;
                return;
            }
            "limit-silent" => {}
            _ => self.too_large(),
        }
        if fault.is("limit-ends-the-stream") {
            self.muted = true;
        }
        if fault.is("limit-drops-the-line-only") {
            self.line_dropped = true;
            return;
        }
        self.data.clear();
        self.event_type.clear();
        self.skipping = true;
        if kind != Some(Kind::Id) || fault.is("limit-drops-the-id-line") || self.is_over() {
            self.line_dropped = true;
        }
    }

    /// Whether what is held is more than the limit: D + T + I + V.
    fn is_over(&self) -> bool {
        let fault = self.fault;
        let Some(limit) = self.limit.filter(|_| !fault.is("limit-none")) else {
            return false;
        };
        let lines: usize = self.data.iter().map(String::len).sum();
        let value = if fault.is("limit-line-under-way-free") {
            0
        } else {
            self.value_len
        };
        // The LF before the next line counts from its colon.
        let joining = match self.kind {
            Some(Kind::Data) => self.data.len(),
            _ => self.data.len().saturating_sub(1),
        };
        let data = match fault.name() {
            "limit-empty-lines-free" => lines,
            "limit-counts-line-ends" => lines + self.data.len() * 2,
            _ => lines + joining,
        };
        if self.fixed {
            // The regions are of the same length, so what fits the text fits the field.
            return data + value > limit;
        }
        let event_type = match fault.name() {
            "limit-type-free" => 0,
            _ => self.event_type.len(),
        };
        let id = match fault.name() {
            "limit-id-free" => 0,
            "limit-inherited-id-counts" => self.id.len(),
            _ => self.pending_id.as_ref().map_or(0, String::len),
        };
        let held = match fault.name() {
            "limit-of-one-line" => value,
            _ => data + event_type + id + value,
        };
        match fault.name() {
            "limit-off-by-one" => held > limit + 1,
            "limit-reached-is-too-much" => held >= limit,
            _ => held > limit,
        }
    }

    fn too_large(&mut self) {
        self.items.push(Item::Error {
            error: TooLarge::EventTooLarge,
        });
    }
}

/// The UTF-8 decoder of the Encoding standard, section 8.1.1.
struct Utf8 {
    fault: Fault,
    code_point: u32,
    seen: usize,
    needed: usize,
    lower: u8,
    upper: u8,
    /// Whether the last U+FFFD stands for something invalid.
    broke: bool,
}

impl Utf8 {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            code_point: 0,
            seen: 0,
            needed: 0,
            lower: 0x80,
            upper: 0xBF,
            broke: false,
        }
    }

    /// The characters that a byte completes: those of a sequence that it breaks, and its own.
    fn byte(&mut self, byte: u8) -> impl Iterator<Item = char> + use<> {
        let mut broken = iter::repeat_n(REPLACEMENT, 0);
        let mut own = None;
        self.broke = false;
        if self.needed > 0 && !(self.lower..=self.upper).contains(&byte) {
            let count = if self.fault.is("utf8-one-for-each-byte") {
                1 + self.seen
            } else {
                1
            };
            *self = Self::new(self.fault);
            if let Some(char) = self.invalid(byte) {
                broken = iter::repeat_n(char, count);
            }
            if self.fault.is("utf8-swallows-the-breaking-byte") {
                return broken.chain(own);
            }
        }
        if self.needed == 0 {
            own = self.lead(byte);
            return broken.chain(own);
        }
        (self.lower, self.upper) = (0x80, 0xBF);
        self.code_point = self.code_point << 6 | u32::from(byte & 0x3F);
        self.seen += 1;
        if self.seen == self.needed {
            own = Some(char::from_u32(self.code_point).unwrap_or('?'));
            *self = Self::new(self.fault);
        }
        broken.chain(own)
    }

    fn lead(&mut self, byte: u8) -> Option<char> {
        let fault = self.fault;
        match byte {
            0..=0x7F => return Some(char::from(byte)),
            0xC0..=0xC1 if !fault.is("utf8-overlong-of-two-bytes") => return self.invalid(byte),
            0xC0..=0xDF => (self.needed, self.code_point) = (1, u32::from(byte & 0x1F)),
            0xE0..=0xEF => {
                match byte {
                    0xE0 if !fault.is("utf8-overlong-of-three-bytes") => self.lower = 0xA0,
                    0xED if !fault.is("utf8-surrogates") => self.upper = 0x9F,
                    _ => {}
                }
                (self.needed, self.code_point) = (2, u32::from(byte & 0xF));
            }
            0xF0..=0xF4 => {
                match byte {
                    0xF0 if !fault.is("utf8-overlong-of-four-bytes") => self.lower = 0x90,
                    0xF4 if !fault.is("utf8-beyond-unicode") => self.upper = 0x8F,
                    _ => {}
                }
                (self.needed, self.code_point) = (3, u32::from(byte & 0x7));
            }
            0xF5..=0xF7 if fault.is("utf8-beyond-unicode-by-lead") => {
                (self.needed, self.code_point) = (3, u32::from(byte & 0x7));
            }
            _ => return self.invalid(byte),
        }
        None
    }

    fn invalid(&mut self, byte: u8) -> Option<char> {
        self.broke = true;
        match self.fault.name() {
            "utf8-bad-bytes-dropped" => None,
            "utf8-bad-bytes-are-latin-1" => Some(char::from(byte)),
            "utf8-bad-bytes-are-question-marks" => Some('?'),
            _ => Some(REPLACEMENT),
        }
    }
}

/// As languages read numbers that take every character of the class Nd for a digit, and superscripts along with them.
fn digits_of_any_script(text: &str) -> Option<u64> {
    let digit = |char: char| match char {
        '0'..='9' => char.to_digit(10),
        '\u{660}'..='\u{669}' => Some(u32::from(char) - 0x660),
        '\u{FF10}'..='\u{FF19}' => Some(u32::from(char) - 0xFF10),
        '\u{B2}' => Some(2),
        '\u{B3}' => Some(3),
        '\u{B9}' => Some(1),
        _ => None,
    };
    let digits: Option<Vec<u32>> = text.chars().map(digit).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    Some(
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + u64::from(*digit)),
    )
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
