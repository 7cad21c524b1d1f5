//! A response that is no event stream, and what its body says.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, response};
use sse_proto::Reason;

/// The body of a refusal is read up to this length, ..
const MAX_LEN: usize = 64 * 1024;

/// .. and for so long: an error message comes at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Refusal {
    head: response::Parts,
    reason: Reason,
    body: Vec<u8>,
}

impl Refusal {
    pub(crate) fn new(head: response::Parts, reason: Reason) -> Self {
        Self {
            head,
            reason,
            body: Vec::new(),
        }
    }

    /// Takes as much of the chunk as there is room for. Whether that was all of it.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> bool {
        let room = MAX_LEN - self.body.len();
        self.body.extend(chunk.iter().take(room));
        chunk.len() <= room
    }

    pub(crate) fn end(self) -> (Reason, Response<Bytes>) {
        (
            self.reason,
            Response::from_parts(self.head, self.body.into()),
        )
    }
}
