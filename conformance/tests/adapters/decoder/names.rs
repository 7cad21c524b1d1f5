//! A line to a field name and a value.

use super::{Decoder, Kind, REPLACEMENT};

impl Decoder {
    /// A character that ends no line.
    pub(super) fn text(&mut self, char: char) {
        let mutation = self.mutation;
        if self.details.wanted {
            self.details.line.push(char);
            if self.kind == Some(Kind::Unknown) {
                return self.count_unknown_line();
            }
        }
        let Some(kind) = self.kind else {
            if char != ':' || mutation.is("split-at-the-last-colon") {
                self.line.push(char);
                return self.check_name();
            }
            let name = std::mem::take(&mut self.line);
            self.start_value(&name);
            return;
        };
        if self.skipping && matches!(kind, Kind::Data | Kind::Event) {
            return;
        }
        let at_start = !std::mem::replace(&mut self.value_started, true);
        if at_start && kind != Kind::Comment {
            let is_dropped = match char {
                ' ' if kind == Kind::Retry => !mutation.is("retry-after-a-space-ignored"),
                ' ' => !mutation.is("space-kept"),
                '\t' => mutation.is("tab-dropped"),
                '\u{A0}' | '\u{3000}' => mutation.is("unicode-space-dropped"),
                _ => false,
            };
            if is_dropped {
                self.value_started = !mutation.is("all-leading-spaces-dropped");
                if mutation.is("limit-space-counts") {
                    self.value_len += 1;
                    self.check_limit();
                }
                return;
            }
        }
        if kind == Kind::Unknown && mutation.is("limit-unknown-fields-count") {
            self.value_len += char.len_utf8();
            self.check_limit();
        }
        if self.line_dropped || kind == Kind::Unknown {
            return;
        }
        self.line.push(char);
        if kind == Kind::Retry && !mutation.is("limit-retry-counts") {
            return;
        }
        self.value_len += if mutation.is("limit-counts-characters") {
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

    pub(super) fn start_value(&mut self, name: &str) {
        let mutation = self.mutation;
        let kind = self.kind_of(name);
        self.kind = Some(kind);
        self.value_started = false;
        self.value_len = 0;
        if !mutation.is("details-unfinished-line-not-recognized") {
            self.recognize(kind);
        }
        if kind == Kind::Unknown && self.details.wanted {
            return self.count_unknown_line();
        }
        if kind == Kind::Data && !self.data.is_empty() && !self.skipping {
            self.check_limit();
        }
    }

    pub(super) fn kind_of(&self, name: &str) -> Kind {
        const NAMES: [(&str, Kind); 4] = [
            ("data", Kind::Data),
            ("event", Kind::Event),
            ("id", Kind::Id),
            ("retry", Kind::Retry),
        ];
        let mutation = self.mutation;
        if name.is_empty() {
            return match mutation.name() {
                "comment-is-a-field" => Kind::Unknown,
                _ => Kind::Comment,
            };
        }
        if mutation.is("comment-after-spaces") && name.trim().is_empty() {
            return Kind::Comment;
        }
        let name = match mutation.name() {
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
        let same = |known: &str| match mutation.name() {
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
}
