//! The limit on one event: what counts, and what is dropped when it is exceeded.

use sse_conformance::{Item, TooLarge};

use super::{Decoder, Kind};

impl Decoder {
    pub(super) fn check_limit(&mut self) {
        if !self.mutation.is("limit-at-the-line-end") {
            self.check_limit_now();
        }
    }

    /// Called whenever something that counts has grown.
    pub(super) fn check_limit_now(&mut self) {
        let mutation = self.mutation;
        if self.line_dropped || !self.is_over() {
            return;
        }
        let kind = self.kind;
        if kind == Some(Kind::Comment) {
            if !mutation.is("limit-silent") {
                self.too_large();
            }
            self.line_dropped = true;
            if mutation.is("limit-comment-drops-the-event") {
                self.skipping = true;
                self.data.clear();
                self.event_type.clear();
            }
            return;
        }
        let was_skipping = self.skipping;
        if was_skipping {
            if mutation.is("limit-error-for-each-line") {
                self.too_large();
            }
        } else {
            match mutation.name() {
                "limit-truncates" => {
                    self.line_cut = true;
                    return;
                }
                "limit-silent" => {}
                _ => self.too_large(),
            }
            if mutation.is("limit-ends-the-stream") {
                self.muted = true;
            }
            if mutation.is("limit-drops-the-line-only") {
                self.line_dropped = true;
                return;
            }
            self.data.clear();
            self.event_type.clear();
            self.skipping = true;
        }
        if kind == Some(Kind::Id) && !mutation.is("limit-drops-the-id-line") && self.is_over() {
            self.drop_earlier_id(was_skipping);
        }
        if kind != Some(Kind::Id) || mutation.is("limit-drops-the-id-line") || self.is_over() {
            self.line_dropped = true;
        }
    }

    /// The last id of a block is the one that counts: an earlier one is dropped when it has no room.
    fn drop_earlier_id(&mut self, was_skipping: bool) {
        let mutation = self.mutation;
        // The last character is the one that has no room.
        let mut fits = self.line.chars();
        fits.next_back();
        let is_ignored = match mutation.name() {
            "limit-id-of-nul-without-room-keeps-the-earlier-one" => self.line.contains('\0'),
            _ => fits.as_str().contains('\0'),
        };
        let is_kept = match mutation.name() {
            "limit-id-of-nul-drops-the-earlier-one" => false,
            "limit-earlier-id-kept" => is_ignored || !self.fixed,
            "limit-earlier-id-kept-by-the-line-that-crosses" => is_ignored || !was_skipping,
            "limit-earlier-id-kept-in-the-rest" => is_ignored || was_skipping,
            "limit-fixed-earlier-id-kept" => is_ignored || self.fixed,
            _ => is_ignored,
        };
        if !is_kept {
            self.pending_id = None;
            self.id.clone_from(&self.last_event_id);
            if mutation.is("limit-id-too-long-resets-the-id") {
                self.id.clear();
            }
        }
    }

    /// Whether D + T + I + V is more than the limit.
    pub(super) fn is_over(&self) -> bool {
        let mutation = self.mutation;
        let Some(limit) = self.limit.filter(|_| !mutation.is("limit-ignored")) else {
            return false;
        };
        let lines: usize = self.data.iter().map(String::len).sum();
        let value = if mutation.is("limit-line-under-way-free") {
            0
        } else {
            self.value_len
        };
        // The LF that joins a line counts from the colon of that line.
        let joining = match self.kind {
            Some(Kind::Data) => self.data.len(),
            _ => self.data.len().saturating_sub(1),
        };
        let data = match mutation.name() {
            "limit-empty-lines-free" => lines,
            "limit-counts-line-ends" => lines + self.data.len() * 2,
            _ => lines + joining,
        };
        if self.fixed {
            // All regions have the same length, so a value that fits the text region fits its own.
            return data + value > limit;
        }
        let event_type = match mutation.name() {
            "limit-type-free" => 0,
            _ => self.event_type.len(),
        };
        let id = match mutation.name() {
            "limit-id-free" => 0,
            "limit-inherited-id-counts" => self.id.len(),
            _ => self.pending_id.as_ref().map_or(0, String::len),
        };
        let total = match mutation.name() {
            "limit-of-one-line" => value,
            _ => data + event_type + id + value,
        };
        match mutation.name() {
            "limit-off-by-one" => total > limit + 1,
            "limit-reached-is-too-much" => total >= limit,
            _ => total > limit,
        }
    }

    pub(super) fn too_large(&mut self) {
        self.items.push(Item::Error {
            error: TooLarge::EventTooLarge,
        });
    }
}
