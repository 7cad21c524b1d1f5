//! A body with one chunk at a time: reading on is pending until the next chunk is added or the body
//! ends. So each item can be attributed to its chunk, and no chunk is read too early.

use std::{
    convert::Infallible,
    fmt::Display,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_core::Stream;
use sse_conformance::{DecodeAnswer, Item};

use crate::Decoded;

/// The body. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chunk: Option<Bytes>,
    ended: bool,
}

impl Feed {
    fn put(&self, chunk: Vec<u8>) {
        self.0
            .lock()
            .expect("no thread panics while it holds the lock")
            .chunk = Some(chunk.into());
    }

    /// Whether the body has ended: what comes now is because of that.
    pub(crate) fn has_ended(&self) -> bool {
        let state = self.0.lock();
        state
            .expect("no thread panics while it holds the lock")
            .ended
    }

    fn end(&self) {
        self.0
            .lock()
            .expect("no thread panics while it holds the lock")
            .ended = true;
    }

    /// Adds all chunks, each as soon as `stream` is pending, and collects the items that `item`
    /// makes of its output. Output at the end belongs to the last chunk.
    pub(crate) fn run<T, E: Display>(
        self,
        input: Vec<Vec<u8>>,
        mut stream: Pin<&mut impl Stream<Item = Result<T, E>>>,
        mut item: impl FnMut(T) -> Option<Item>,
    ) -> Decoded {
        let mut context = Context::from_waker(Waker::noop());
        let mut chunks: Vec<Vec<Item>> = Vec::new();
        let mut input = input.into_iter();
        loop {
            match stream.as_mut().poll_next(&mut context) {
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(why))) => {
                    return Err(format!("in chunk {}: {why}", chunks.len()));
                }
                Poll::Ready(Some(Ok(out))) => {
                    if let Some(item) = item(out) {
                        let items = chunks.last_mut().ok_or("an item came before any input")?;
                        items.push(item);
                    }
                }
                Poll::Pending => match input.next() {
                    Some(chunk) => {
                        chunks.push(Vec::new());
                        self.put(chunk);
                    }
                    None => self.end(),
                },
            }
        }
        // A decoder that has stopped reading reports nothing for the rest.
        chunks.extend(input.map(|_| Vec::new()));
        Ok(DecodeAnswer {
            chunks,
            last_event_id: None,
        })
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self
            .0
            .lock()
            .expect("no thread panics while it holds the lock");
        match state.chunk.take() {
            None if state.ended => Poll::Ready(None),
            None => Poll::Pending,
            Some(chunk) => Poll::Ready(Some(Ok(chunk))),
        }
    }
}
