//! The requests of the client: their headers, above all `Last-Event-ID`.

use sse_conformance::RecordedRequest;

use super::Client;

/// The white space that HTTP removes from the ends of a header value.
const BLANKS: [char; 2] = [' ', '\t'];

impl Client {
    pub(super) fn send_request(&mut self, after_ms: u64) {
        let mutation = self.mutation;
        let mut headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        if self.policy.has_cache_control() {
            headers.push(("Cache-Control".to_owned(), "no-cache".to_owned()));
        }
        let id = match mutation.name() {
            "id-never-sent" => String::new(),
            "id-sent-before-it-is-committed" => self.decoder.id().to_owned(),
            "id-sent-once-only" if self.ids_sent.contains(&self.decoder.last_event_id) => {
                String::new()
            }
            _ => self.decoder.last_event_id.clone(),
        };
        let has_id = match mutation.name() {
            "id-of-blanks-not-sent" => !id.trim_matches(BLANKS).is_empty(),
            "id-with-blanks-at-its-ends-not-sent" => {
                !id.is_empty() && id.trim_matches(BLANKS) == id
            }
            _ => !id.is_empty(),
        };
        // H5: HTTP removes blanks at the ends of a value.
        let id = match mutation.name() {
            "id-trimmed-in-the-header" => id.trim().to_owned(),
            "id-trimmed-of-spaces-only" => id.trim_matches(' ').to_owned(),
            "id-without-any-blanks-in-the-header" => id.replace(BLANKS, ""),
            _ => id.trim_matches(BLANKS).to_owned(),
        };
        let id = match mutation.name() {
            "id-in-latin-1" => id.bytes().map(char::from).collect(),
            "id-percent-encoded" => percent_encoded(&id),
            "id-cut-at-128-bytes" => id.chars().take(128).collect(),
            "id-without-what-is-not-ascii" => id.chars().filter(char::is_ascii).collect(),
            _ => id,
        };
        // H5: an id that no header can carry is not sent.
        let can_be_sent = !id
            .chars()
            .any(|char| char.is_ascii_control() && char != '\t');
        let mut sent = (can_be_sent && has_id).then_some(id);
        match mutation.name() {
            "id-empty-sent" if sent.is_none() => sent = Some(String::new()),
            "previous-id-stays-in-the-header" if sent.is_none() => {
                sent = self.ids_sent.last().cloned()
            }
            "ids-appended-in-the-header" => {
                headers.extend(
                    self.ids_sent
                        .iter()
                        .map(|id| ("Last-Event-ID".to_owned(), id.clone())),
                );
            }
            "ids-joined-in-the-header" => {
                let all = self.ids_sent.iter().cloned().chain(sent);
                sent = Some(all.collect::<Vec<_>>().join(", ")).filter(|id| !id.is_empty());
            }
            _ => {}
        }
        if let Some(id) = &sent {
            headers.push(("Last-Event-ID".to_owned(), id.clone()));
            self.ids_sent.push(id.clone());
        }
        self.answer.requests.push(RecordedRequest {
            headers,
            last_event_id: sent,
            after_ms,
            url: self.reports_urls.then(|| self.location.target().to_owned()),
        });
    }
}

fn percent_encoded(text: &str) -> String {
    let of_byte = |byte: u8| match byte {
        b'!'..=b'~' | b' ' | b'\t' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(of_byte).collect()
}
