//! A source and body that a test feeds, and functions that poll streams.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes, buf::Chain};
use futures_core::Stream;
use http_body::{Body, Frame};

/// The result of a poll of a source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Chunk(Vec<u8>),
    Pending,
    Trailers,
    Error(&'static str),
    End,
}

/// A source and a body. A test may add steps while a stream reads it. It is pending when it is
/// empty, and must not be polled after its end or an error. It is not `Send`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed(Rc<RefCell<Steps>>);

#[derive(Debug, Default)]
struct Steps {
    steps: VecDeque<Step>,
    has_ended: bool,
}

impl Feed {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let feed = Self::default();
        steps.into_iter().for_each(|step| feed.put(step));
        feed
    }

    pub(crate) fn put(&self, step: Step) {
        self.0.borrow_mut().steps.push_back(step);
    }

    fn next(&self, context: &Context<'_>) -> Step {
        let mut feed = self.0.borrow_mut();
        assert!(!feed.has_ended, "polled after its end");
        let step = feed.steps.pop_front().unwrap_or(Step::Pending);
        feed.has_ended = matches!(step, Step::Error(_) | Step::End);
        if step == Step::Pending && !feed.steps.is_empty() {
            context.waker().wake_by_ref();
        }
        step
    }
}

impl Stream for Feed {
    type Item = Result<Vec<u8>, &'static str>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.next(context) {
            Step::Chunk(chunk) => Poll::Ready(Some(Ok(chunk))),
            Step::Error(error) => Poll::Ready(Some(Err(error))),
            Step::Pending => Poll::Pending,
            Step::End => Poll::Ready(None),
            Step::Trailers => panic!("a stream has no trailers"),
        }
    }
}

impl Body for Feed {
    /// Several fragments, some of them empty.
    type Data = Chain<Bytes, Chain<Bytes, Bytes>>;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.next(context) {
            Step::Chunk(chunk) => {
                let mut rest = Bytes::from(chunk);
                let first = rest.split_to(rest.len() / 2);
                let second = rest.split_to(rest.len() / 2);
                Poll::Ready(Some(Ok(Frame::data(first.chain(second.chain(rest))))))
            }
            Step::Trailers => Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new())))),
            Step::Error(error) => Poll::Ready(Some(Err(error))),
            Step::Pending => Poll::Pending,
            Step::End => Poll::Ready(None),
        }
    }
}

/// Polls once.
pub(crate) fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Polls once; returns whether the stream has ended.
pub(crate) fn is_at_end<S: Stream + Unpin>(stream: &mut S) -> bool {
    matches!(poll(stream), Poll::Ready(None))
}

/// Returns the items until the stream is pending or ends, and whether it has ended.
pub(crate) fn drain<S: Stream + Unpin>(stream: &mut S) -> (Vec<S::Item>, bool) {
    let mut items = Vec::new();
    loop {
        match poll(stream) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return (items, true),
            Poll::Pending => return (items, false),
        }
    }
}

/// Returns all items to the end of the stream, polling again after each `Pending`.
pub(crate) fn collect<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    let mut all = Vec::new();
    loop {
        let (items, is_end) = drain(stream);
        all.extend(items);
        if is_end {
            return all;
        }
    }
}
