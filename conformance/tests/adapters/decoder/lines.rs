//! Characters to lines: what ends a line, and what is done with a complete one.

use super::{After, Decoder, Kind};

impl Decoder {
    pub(super) fn char(&mut self, char: char) {
        let mutation = self.mutation;
        if char == '\u{FEFF}' {
            let at_start = self.line.is_empty() && self.kind.is_none();
            if mutation.is("bom-removed-everywhere")
                || mutation.is("bom-removed-in-each-line") && at_start
            {
                return;
            }
        }
        let after = std::mem::replace(&mut self.after, After::Nothing);
        if mutation.is("cr-remembered-forever") {
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
            (After::Cr, '\n') if !mutation.is("crlf-is-two") => {
                if mutation.is("cr-swallows-all-lf") {
                    self.after = After::Cr;
                } else {
                    self.after = After::Nothing;
                }
            }
            (_, '\n') if mutation.is("only-cr-ends-lines") => {}
            (_, '\n') => {
                self.end_line();
                if mutation.is("lf-cr-is-one") {
                    self.after = After::Lf;
                }
            }
            (_, '\r') => match mutation.name() {
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
        if mutation.is("line-cut-at-1024") && self.line.len() > 1024 {
            self.line.pop();
        }
        if mutation.is("line-of-64-kib-is-an-error") && self.line.len() == 65_536 {
            self.too_large();
        }
    }

    pub(super) fn is_odd_line_end(&self, char: char) -> bool {
        match self.mutation.name() {
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

    pub(super) fn end_open_line(&mut self) {
        if !self.line.is_empty() || self.kind.is_some() {
            self.end_line();
        }
    }

    pub(super) fn end_line(&mut self) {
        let mutation = self.mutation;
        if mutation.is("split-at-the-last-colon") && self.kind.is_none() {
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
                let kind = match mutation.name() {
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
                let value = match mutation.name() {
                    "no-colon-value-is-the-line" => line,
                    "no-colon-event-ignored" if kind == Kind::Event => self.event_type.clone(),
                    _ => String::new(),
                };
                (kind, value)
            }
        };
        if mutation.is("limit-at-the-line-end") {
            self.value_len = value.len();
            self.check_limit_now();
        }
        self.recognize(kind);
        let dropped = self.line_dropped;
        if self.details.wanted && self.end_without_effect(kind) {
            return self.clear_line();
        }
        self.clear_line();
        if kind == Kind::Unknown && mutation.is("unknown-field-is-an-error") {
            self.too_large();
        }
        if kind == Kind::Unknown && mutation.is("unknown-field-drops-the-event") {
            self.data.clear();
        }
        if dropped && kind != Kind::Unknown {
            return;
        }
        if kind != Kind::Comment {
            match mutation.name() {
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

    pub(super) fn clear_line(&mut self) {
        self.line.clear();
        self.kind = None;
        self.value_len = 0;
        self.line_dropped = false;
        self.line_cut = false;
        self.line_bad = false;
        self.details.clear_line();
    }

    pub(super) fn is_blank(&self) -> bool {
        let line = match self.mutation.name() {
            "line-of-spaces-is-blank" => self.line.trim_matches(' '),
            "line-of-tabs-is-blank" => self.line.trim_matches(['\t', ' ']),
            "line-of-white-space-is-blank" => self.line.trim(),
            "line-of-nul-is-blank" => self.line.trim_matches('\0'),
            _ => &self.line,
        };
        line.is_empty()
    }
}
