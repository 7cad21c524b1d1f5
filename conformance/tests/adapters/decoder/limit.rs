//! The limit on one event: what counts, and what is dropped when it is exceeded.

use sse_conformance::Regions;

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
        let is_ignored = kind == Some(Kind::Unknown) && self.details.wanted;
        if kind == Some(Kind::Comment) || is_ignored {
            if !mutation.is("limit-silent") {
                self.too_large();
            }
            self.line_dropped = true;
            if mutation.is("limit-comment-drops-the-event") && !is_ignored
                || mutation.is("details-ignored-line-drops-the-event") && is_ignored
            {
                self.skipping = true;
                self.data.clear();
                self.event_type.clear();
            }
            return;
        }
        let was_skipping = self.skipping;
        let skips_id = kind == Some(Kind::Id) && self.skips_long_id();
        if skips_id {
            // The event is kept.
        } else if was_skipping {
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
            self.details.long_id = skips_id;
        }
    }

    /// Whether an id that has no room is skipped, and not its event.
    fn skips_long_id(&self) -> bool {
        match self.mutation.name() {
            "details-long-id-drops-the-event" => false,
            "details-long-id-always-skipped" => self.details.wanted && !self.skipping,
            "details-long-id-skipped-in-a-large-event" => self.skip_long_ids,
            _ => self.skip_long_ids && !self.skipping,
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
            "limit-earlier-id-kept" => is_ignored || self.regions.is_none(),
            "limit-earlier-id-kept-by-the-line-that-crosses" => is_ignored || !was_skipping,
            "limit-earlier-id-kept-in-the-rest" => is_ignored || was_skipping,
            "limit-fixed-earlier-id-kept" => is_ignored || self.regions.is_some(),
            "details-long-id-keeps-the-earlier-one" => is_ignored || self.skip_long_ids,
            "details-long-id-of-nul-drops-the-earlier-one" => is_ignored && !self.skip_long_ids,
            _ => is_ignored,
        };
        if !is_kept {
            self.pending_id = None;
            self.id_too_long = true;
            self.id.clone_from(&self.last_event_id);
            if mutation.is("limit-id-too-long-resets-the-id")
                || mutation.is("details-long-id-resets-the-id") && self.skip_long_ids
            {
                self.id.clear();
            }
            if mutation.is("details-long-id-cut") && self.skip_long_ids {
                self.id = fits.as_str().to_owned();
            }
        }
    }

    /// Whether D + T + I + V is more than the limit.
    pub(super) fn is_over(&self) -> bool {
        let mutation = self.mutation;
        if mutation.is("limit-ignored") {
            return false;
        }
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
        if let Some(regions) = self.regions {
            return self.is_over_a_region(regions, data, value);
        }
        let Some(limit) = self.limit else {
            return false;
        };
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

    fn is_over_a_region(&self, regions: Regions, data: usize, value: usize) -> bool {
        let mutation = self.mutation;
        let Regions { event, id, .. } = regions;
        let own = match self.kind {
            Some(Kind::Event) if mutation.is("details-region-of-the-id-for-the-type") => id,
            Some(Kind::Id) if mutation.is("details-region-of-the-type-for-the-id") => event,
            Some(Kind::Event) => event,
            Some(Kind::Id) => id,
            _ => regions.data,
        };
        match mutation.name() {
            "details-region-of-data-only" => data + value > regions.data,
            "limit-fixed-line-under-way-in-its-own-region" => match self.kind {
                Some(Kind::Event | Kind::Id) => value > own,
                _ => data + value > regions.data,
            },
            "details-region-of-none-without-limit" => {
                data + value > regions.data || own > 0 && value > own
            }
            _ => data + value > regions.data || value > own,
        }
    }

    pub(super) fn too_large(&mut self) {
        let error = self.error();
        self.items.push(error);
    }
}
