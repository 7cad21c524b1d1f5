//! Chunks to bytes, and bytes to characters: where a chunk begins and ends, and the byte order
//! mark.

use sse_conformance::Item;

use super::{After, Decoder, REPLACEMENT};

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Decoder {
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Vec<Item> {
        let mutation = self.mutation;
        let mut chunk = chunk.to_vec();
        if chunk.is_empty() && mutation.is("empty-chunk-clears-cr")
            || mutation.is("cr-forgotten-between-chunks")
        {
            self.after = After::Nothing;
        }
        if chunk.is_empty() && mutation.is("empty-chunk-is-the-end") {
            self.end_open_line();
            self.blank_line();
        }
        if mutation.is("chunks-trimmed") {
            while chunk.last() == Some(&b' ') {
                chunk.pop();
            }
        }
        if mutation.is("chunks-begin-without-line-ends") {
            while chunk.starts_with(b"\n") {
                chunk.remove(0);
            }
        }
        if !chunk.is_empty() {
            self.start_of_chunk(&mut chunk);
            self.chunks += 1;
        }
        self.bytes += chunk.len();
        if mutation.is("utf8-by-chunk") {
            chunk = String::from_utf8_lossy(&chunk).into_owned().into_bytes();
        }
        if mutation.is("line-ends-normalised-by-chunk") {
            let text: Vec<u8> = replaced(&replaced(&chunk, b"\r\n", b"\n"), b"\r", b"\n");
            chunk = text;
        }
        for byte in chunk {
            self.steps += 1;
            self.byte(byte);
        }
        if mutation.is("line-scanned-again") {
            self.steps += self.line.len() as u64;
        }
        if mutation.is("chunk-ends-the-line") {
            self.end_open_line();
        }
        if mutation.is("chunk-ends-the-event")
            && !self.data.is_empty()
            && self.kind.is_none()
            && self.line.is_empty()
        {
            self.blank_line();
        }
        let mut items = std::mem::take(&mut self.items);
        if mutation.is("first-event-of-a-chunk-only") {
            let mut seen = false;
            items.retain(|item| {
                !matches!(item, Item::Event { .. }) || !std::mem::replace(&mut seen, true)
            });
        }
        if mutation.is("late-by-a-chunk") {
            std::mem::swap(&mut items, &mut self.held_back);
        }
        if mutation.is("late-until-the-next-event") {
            self.held_back.append(&mut items);
            let out = self.held_back.len().saturating_sub(1);
            items = self.held_back.drain(..out).collect();
        }
        items
    }

    /// Mutations that look for a byte order mark at the beginning of a chunk.
    fn start_of_chunk(&mut self, chunk: &mut Vec<u8>) {
        let mutation = self.mutation;
        let has_bom = chunk.starts_with(BOM);
        if mutation.is("bom-removed-in-each-chunk") && has_bom {
            chunk.drain(..3);
        }
        if self.chunks > 0 {
            return;
        }
        if mutation.is("bom-only-if-whole-in-the-first-chunk") {
            if has_bom {
                chunk.drain(..3);
            }
            self.start = None;
        }
        if mutation.is("bom-cut-by-one-byte") && has_bom {
            chunk.drain(..1);
            self.start = None;
        }
        if mutation.is("bom-panics") && has_bom {
            self.panicked = true;
        }
        if mutation.is("utf16-by-bom")
            && (chunk.starts_with(b"\xFF\xFE") || chunk.starts_with(b"\xFE\xFF"))
        {
            *chunk = chunk
                .iter()
                .copied()
                .filter(|byte| byte.is_ascii() && *byte > 0)
                .collect();
        }
    }

    /// The end of the stream: an incomplete event is discarded.
    pub(crate) fn end(&mut self) -> Vec<Item> {
        let mutation = self.mutation;
        if mutation.is("end-completes-the-line") {
            self.end_open_line();
        }
        if mutation.is("end-dispatches") {
            self.end_open_line();
            self.blank_line();
        }
        if mutation.is("end-dispatches-complete-lines")
            && self.kind.is_none()
            && self.line.is_empty()
        {
            self.blank_line();
        }
        if mutation.is("end-commits-the-id") {
            self.last_event_id.clone_from(&self.id);
        }
        if mutation.is("cr-waits-and-is-not-lost") && self.after == After::WaitingCr {
            self.end_line();
        }
        let mut items = std::mem::take(&mut self.held_back);
        items.append(&mut self.items);
        items
    }

    fn byte(&mut self, byte: u8) {
        let Some(mut start) = self.start.take() else {
            return self.byte_after_bom(byte);
        };
        start.push(byte);
        if start == BOM {
            match self.mutation.name() {
                "every-leading-bom-removed" => self.start = Some(Vec::new()),
                "bom-swallows-a-line-end" => self.after = After::Bom,
                _ => {}
            }
        } else if BOM.starts_with(&start) {
            self.start = Some(start);
        } else {
            let lost = self.mutation.is("bom-beginning-lost") && start.len() > 1;
            if self.mutation.is("bom-after-line-ends") && (start == b"\n" || start == b"\r") {
                self.start = Some(Vec::new());
            }
            for byte in start.split_off(if lost { start.len() - 1 } else { 0 }) {
                self.byte_after_bom(byte);
            }
        }
    }

    fn byte_after_bom(&mut self, byte: u8) {
        let byte = match (self.mutation.name(), byte) {
            ("nul-ends-lines", 0) => b'\n',
            ("nul-dropped", 0) => return,
            _ => byte,
        };
        for char in self.utf8.byte(byte) {
            if char == REPLACEMENT && self.utf8.broke {
                match self.mutation.name() {
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
        if self.utf8.needed > 0 {
            self.started_character();
        }
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend(to);
            rest = after;
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out
}
