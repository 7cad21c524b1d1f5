//! Characters to lines, and a line to its name and its value.

use super::{After, Decoder, Kind, REPLACEMENT};

impl Decoder {
    pub(super) fn char(&mut self, char: char) {
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

    pub(super) fn is_odd_line_end(&self, char: char) -> bool {
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
    pub(super) fn text(&mut self, char: char) {
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
        if at_start && kind != Kind::Comment {
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

    pub(super) fn start_value(&mut self, name: &str) {
        let kind = self.kind_of(name);
        self.kind = Some(kind);
        self.value_started = false;
        self.value_len = 0;
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

    pub(super) fn end_open_line(&mut self) {
        if !self.line.is_empty() || self.kind.is_some() {
            self.end_line();
        }
    }

    pub(super) fn end_line(&mut self) {
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

    pub(super) fn clear_line(&mut self) {
        self.line.clear();
        self.kind = None;
        self.value_len = 0;
        self.line_dropped = false;
        self.line_cut = false;
        self.line_bad = false;
    }

    pub(super) fn is_blank(&self) -> bool {
        let line = match self.fault.name() {
            "line-of-spaces-is-blank" => self.line.trim_matches(' '),
            "line-of-tabs-is-blank" => self.line.trim_matches(['\t', ' ']),
            "line-of-white-space-is-blank" => self.line.trim(),
            "line-of-nul-is-blank" => self.line.trim_matches('\0'),
            _ => &self.line,
        };
        line.is_empty()
    }
}
