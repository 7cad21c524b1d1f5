//! A body that has one piece at a time: whoever reads on waits, until the next piece is put in or the body ends. So it
//! is known of each item which piece it came from, and none can be read before its time.

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
    piece: Option<Bytes>,
    ended: bool,
}

impl Feed {
    fn put(&self, piece: Vec<u8>) {
        self.0.lock().expect("nobody panics with it").piece = Some(piece.into());
    }

    fn end(&self) {
        self.0.lock().expect("nobody panics with it").ended = true;
    }

    /// Puts in all pieces, each as soon as `stream` waits for it, and collects what `item` makes of what comes out.
    /// What comes out at the end belongs to the last piece.
    pub(crate) fn run<T, E: Display>(
        self,
        pieces: Vec<Vec<u8>>,
        mut stream: Pin<&mut impl Stream<Item = Result<T, E>>>,
        mut item: impl FnMut(T) -> Option<Item>,
    ) -> Decoded {
        let mut context = Context::from_waker(Waker::noop());
        let mut chunks: Vec<Vec<Item>> = Vec::new();
        let mut pieces = pieces.into_iter();
        loop {
            match stream.as_mut().poll_next(&mut context) {
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(why))) => {
                    return Err(format!("in piece {}: {why}", chunks.len()));
                }
                Poll::Ready(Some(Ok(out))) => {
                    if let Some(item) = item(out) {
                        let items = chunks.last_mut().ok_or("an item came before any input")?;
                        items.push(item);
                    }
                }
                Poll::Pending => match pieces.next() {
                    Some(piece) => {
                        chunks.push(Vec::new());
                        self.put(piece);
                    }
                    None => self.end(),
                },
            }
        }
        // A decoder that reads no further has nothing to say about the rest.
        chunks.extend(pieces.map(|_| Vec::new()));
        Ok(DecodeAnswer {
            chunks,
            last_event_id: None,
        })
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock().expect("nobody panics with it");
        match state.piece.take() {
            None if state.ended => Poll::Ready(None),
            None => Poll::Pending,
            Some(piece) => Poll::Ready(Some(Ok(piece))),
        }
    }
}
