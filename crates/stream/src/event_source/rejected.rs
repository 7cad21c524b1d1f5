//! A response that is not an event stream: its head and the start of its body.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, response};
use sse_proto::Reason;

/// Maximum length of the body that is kept.
const MAX_BODY_LEN: usize = 64 * 1024;

/// How long to wait for the body: error messages usually arrive with the head.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct RejectedResponse {
    head: response::Parts,
    reason: Reason,
    body: Vec<u8>,
}

impl RejectedResponse {
    pub(super) fn new(head: response::Parts, reason: Reason) -> Self {
        Self {
            head,
            reason,
            body: Vec::new(),
        }
    }

    /// Appends the chunk up to the maximum length. Returns whether all of it was appended.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        let capacity = MAX_BODY_LEN - self.body.len();
        self.body.extend(chunk.iter().take(capacity));
        chunk.len() <= capacity
    }

    pub(super) fn into_parts(self) -> (Reason, Response<Bytes>) {
        let response = Response::from_parts(self.head, self.body.into());
        (self.reason, response)
    }
}
