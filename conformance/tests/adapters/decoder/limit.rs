//! The limit: what is held, when it is too much, and what is given up then.

use sse_conformance::{Item, TooLarge};

use super::{Decoder, Kind};

impl Decoder {
    pub(super) fn check_limit(&mut self) {
        if !self.fault.is("limit-at-the-line-end") {
            self.check_limit_now();
        }
    }

    /// Called whenever something grew.
    pub(super) fn check_limit_now(&mut self) {
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
    pub(super) fn is_over(&self) -> bool {
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

    pub(super) fn too_large(&mut self) {
        self.items.push(Item::Error {
            error: TooLarge::EventTooLarge,
        });
    }
}
