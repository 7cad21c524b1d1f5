//! The end of a connection: it is dropped, the wait for the next attempt starts, and the loss is
//! reported.

use std::{
    error,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use sse_proto::{Action, Disconnect, Reason, Signal};

use super::{Connect, EventSource, Item, Lost, Phase, Received, Sleep, lost};
use crate::Error;

type BoxError = Box<dyn error::Error + Send + Sync>;

impl<C, T, H> EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    #[cold]
    #[inline(never)]
    pub(super) fn disconnect(
        mut self: Pin<&mut Self>,
        cause: Disconnect,
        source: Option<BoxError>,
    ) -> Item {
        let signal = self
            .as_mut()
            .project()
            .batches
            .decoder
            .handle_disconnect(cause);
        match signal {
            Some(Signal::Error { reason, .. }) => self.report_loss(reason, None, source),
            _ => {
                self.close();
                None
            }
        }
    }

    /// Drops the connection, and starts to wait if there will be another attempt. Returns the item
    /// that reports the loss.
    pub(super) fn report_loss(
        mut self: Pin<&mut Self>,
        reason: Reason,
        response: Option<(Response<Bytes>, bool)>,
        source: Option<BoxError>,
    ) -> Item {
        self.as_mut().drop_connection();
        let mut this = self.as_mut().project();
        let delay = match this.batches.decoder.action() {
            Action::Wait(wait) => Some(wait.with_jitter(random())),
            _ => None,
        };
        *this.phase = match delay {
            Some(_) => Phase::Waiting,
            None => Phase::Closed,
        };
        this.timer.set(delay.map(|delay| this.sleep.sleep(delay)));
        let lost = self.new_lost(reason, delay, response, source);
        Some(match delay {
            Some(_) => Ok(Received::Lost(lost)),
            None => Err(Error::Source(lost)),
        })
    }

    pub(super) fn new_lost(
        &self,
        reason: Reason,
        delay: Option<Duration>,
        response: Option<(Response<Bytes>, bool)>,
        source: Option<BoxError>,
    ) -> Lost {
        let (response, is_response_complete) = response.unzip();
        Lost::new(lost::Parts {
            reason,
            delay,
            failures: self.failures(),
            response,
            is_response_complete: is_response_complete.unwrap_or(false),
            source,
        })
    }
}

/// A random number for the jitter: each `RandomState` has keys of its own.
fn random() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}
