//! Fields to items.

use sse_conformance::Item;

use super::Decoder;

impl Decoder {
    pub(super) fn comment(&mut self, comment: String) {
        match self.mutation.name() {
            "comments-not-reported" => return,
            "comment-resets-the-type" => self.event_type.clear(),
            "comment-resets-the-data" => self.data.clear(),
            "comment-is-data" => self.data.push(comment.clone()),
            "empty-comments-not-reported" if comment.is_empty() => return,
            _ => {}
        }
        let is_empty = comment.is_empty();
        self.items.push(Item::Comment { comment });
        if is_empty && self.mutation.is("empty-comment-is-a-blank-line") {
            self.blank_line();
        }
    }

    pub(super) fn data_field(&mut self, value: String) {
        if self.skipping {
            return;
        }
        match self.mutation.name() {
            "data-replaced" => self.data = vec![value],
            "data-joined-without-lf" if !self.data.is_empty() => self.data[0] += &value,
            "data-empty-lines-dropped" if value.is_empty() && !self.data.is_empty() => {}
            "data-without-nul" => self.data.push(value.replace('\0', "")),
            _ => self.data.push(value),
        }
    }

    pub(super) fn event_field(&mut self, value: String) {
        if self.skipping {
            return;
        }
        let old = std::mem::take(&mut self.event_type);
        self.event_type = match self.mutation.name() {
            "event-first-wins" if !old.is_empty() => old,
            "event-empty-does-not-reset" if value.is_empty() => old,
            "event-appended" => old + &value,
            "event-trimmed" => value.trim().to_owned(),
            "event-in-lower-case" => value.to_lowercase(),
            "event-open-and-error-ignored" if value == "open" || value == "error" => old,
            "event-cut-at-nul" => value.split('\0').next().unwrap_or_default().to_owned(),
            "event-after-data-ignored" if !self.data.is_empty() => old,
            _ => value,
        };
    }

    pub(super) fn id_field(&mut self, value: String) {
        let mutation = self.mutation;
        if self.skipping && mutation.is("limit-ids-lost") {
            return;
        }
        let mut value = value;
        if value.contains('\0') {
            value = match mutation.name() {
                "id-with-nul-kept" => value,
                "id-with-nul-resets" => String::new(),
                "id-cut-at-nul" => value.split('\0').next().unwrap_or_default().to_owned(),
                "id-without-nul" => value.replace('\0', ""),
                "id-of-nul-sets-it" if value.starts_with('\0') => value,
                _ => return,
            };
        }
        match mutation.name() {
            "id-empty-ignored" if value.is_empty() => return,
            "id-trimmed" => value = value.trim().to_owned(),
            "id-first-wins" if self.pending_id.is_some() => return,
            "id-of-digits-only" if !value.bytes().all(|byte| byte.is_ascii_digit()) => return,
            "id-as-a-number" => {
                if let Ok(number) = value.parse::<u64>() {
                    value = number.to_string();
                }
            }
            "id-after-data-ignored" if !self.data.is_empty() => return,
            "id-committed-at-once" => self.last_event_id.clone_from(&value),
            _ => {}
        }
        self.id.clone_from(&value);
        self.pending_id = Some(value);
        self.id_too_long = false;
    }

    pub(super) fn retry_field(&mut self, value: &str) {
        let mutation = self.mutation;
        if self.skipping && mutation.is("limit-retries-lost") {
            return;
        }
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A4: saturates.
        let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
        let mut time = if is_digits(value) {
            Some(number(value))
        } else {
            let unsigned = value.trim_start_matches('+');
            match mutation.name() {
                "retry-trimmed" if is_digits(value.trim()) => Some(number(value.trim())),
                "retry-with-plus" if is_digits(unsigned) => Some(number(unsigned)),
                "retry-negative-is-zero" if value.strip_prefix('-').is_some_and(is_digits) => {
                    Some(0)
                }
                "retry-up-to-the-first-non-digit" => {
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
        time = time.and_then(|time| match mutation.name() {
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
        if mutation.is("retry-at-the-blank-line") {
            self.pending_retry = Some(retry);
            return;
        }
        if mutation.is("retry-dispatches") {
            self.blank_line();
        }
        if mutation.is("retry-drops-the-event") {
            self.data.clear();
        }
        self.reconnection_time = Some(retry);
        if !mutation.is("details-retry-not-recognized") {
            self.details.recognized = true;
        }
        self.items.push(Item::Retry { retry });
    }

    pub(super) fn blank_line(&mut self) {
        let mutation = self.mutation;
        if !mutation.is("details-id-alone-not-recognized") || !self.data.is_empty() {
            self.details.recognized |= self.is_in_event();
        }
        let skipping = std::mem::replace(&mut self.skipping, false);
        if skipping && mutation.is("limit-skips-forever") {
            self.skipping = true;
        }
        if let Some(retry) = self.pending_retry.take() {
            self.reconnection_time = Some(retry);
            self.items.push(Item::Retry { retry });
        }
        let has_data = match mutation.name() {
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
        // "Set the last event ID string to the value of the last event ID buffer", with or without
        // data.
        match mutation.name() {
            "id-without-data-dropped" if !has_data => self.id.clone_from(&self.last_event_id),
            "id-without-data-pending" if !has_data => {}
            "limit-id-not-committed" if skipping => self.id.clone_from(&self.last_event_id),
            _ => self.last_event_id.clone_from(&self.id),
        }
        if mutation.is("id-buffer-reset") {
            self.id.clear();
        }
        let pending = self.pending_id.take();
        let is_id_too_long = std::mem::take(&mut self.id_too_long);
        let has_ignored_id = std::mem::take(&mut self.details.ignored_id);
        let own_id = (pending.is_some(), is_id_too_long, has_ignored_id);
        let mut data = std::mem::take(&mut self.data);
        let event_type = std::mem::take(&mut self.event_type);
        match mutation.name() {
            "type-kept-after-dispatch" if has_data => self.event_type.clone_from(&event_type),
            "type-kept-without-data" if !has_data => self.event_type.clone_from(&event_type),
            "data-kept-after-dispatch" => self.data.clone_from(&data),
            _ => {}
        }
        if !has_data || skipping {
            if self.details.wanted {
                let is_reported = !skipping || mutation.is("details-id-of-a-large-event-reported");
                self.end_without_event(event_type, pending.is_some() && is_reported, &before);
            }
            return;
        }
        match mutation.name() {
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
        let mut data = data.join(if mutation.is("data-joined-by-crlf") {
            "\r\n"
        } else {
            "\n"
        });
        match mutation.name() {
            "data-trimmed" => data = data.trim().to_owned(),
            "data-cut-at-nul" => data = data.split('\0').next().unwrap_or_default().to_owned(),
            _ => {}
        }
        let event = match mutation.name() {
            "type-has-no-default" => event_type,
            "type-is-always-message" => "message".to_owned(),
            _ if event_type.is_empty() => "message".to_owned(),
            _ => event_type,
        };
        let last_event_id = match mutation.name() {
            "id-not-inherited" => pending.unwrap_or_default(),
            "id-of-the-event-before" => before,
            _ => self.last_event_id.clone(),
        };
        let item = self.event(event, data, last_event_id, own_id);
        self.items.push(item);
    }
}

/// Parses a number as in languages for which every character of the class Nd is a digit, and
/// superscripts are too.
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
