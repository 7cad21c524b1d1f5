//! Response bodies, in virtual time.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use sse_proto::Frame;
use sse_proto_stream::{EncodedFrame, SseBody};

/// A stream of frames that a test adds; `None` is its end.
#[derive(Clone, Default)]
struct Frames(Rc<RefCell<Vec<Step>>>);

type Step = Option<Result<EncodedFrame, &'static str>>;

impl Frames {
    fn put(&self, data: &str) {
        self.0
            .borrow_mut()
            .insert(0, Some(Ok(Frame::message(data).into())));
    }

    fn fail(&self, error: &'static str) {
        self.0.borrow_mut().insert(0, Some(Err(error)));
    }

    fn end(&self) {
        self.0.borrow_mut().insert(0, None);
    }
}

impl Stream for Frames {
    type Item = Result<EncodedFrame, &'static str>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().pop().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A clock in milliseconds that counts its timers.
#[derive(Clone, Default)]
struct Clock {
    now: Rc<Cell<u64>>,
    timers: Rc<Cell<u64>>,
}

impl Clock {
    fn sleep(&self, time: Duration) -> impl Future + use<> {
        self.timers.set(self.timers.get() + 1);
        let now = self.now.clone();
        let due = now.get() + u64::try_from(time.as_millis()).unwrap();
        std::future::poll_fn(move |_| {
            if now.get() >= due {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

/// Polls the body once.
fn poll<B: Body<Data = Bytes, Error = &'static str>>(
    body: Pin<&mut B>,
) -> Poll<Option<Result<Bytes, &'static str>>> {
    let frame = body.poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())))
}

fn text(text: &'static str) -> Poll<Option<Result<Bytes, &'static str>>> {
    Poll::Ready(Some(Ok(Bytes::from_static(text.as_bytes()))))
}

#[test]
fn a_keep_alive_comment_is_sent_after_half_to_all_of_the_interval() {
    let (frames, clock) = (Frames::default(), Clock::default());
    let sleep = |time| clock.sleep(time);
    let mut body = pin!(SseBody::new(frames.clone()).keep_alive(Duration::from_secs(10), sleep));
    let mut last_sent = 0;
    let mut count = 0;
    for now in 0..100_000 {
        clock.now.set(now);
        // Phases of frequent frames, and silent ones.
        if now < 40_000 && now % 777 == 0 || now == 52_345 || now == 71_000 {
            frames.put("x");
            assert_eq!(poll(body.as_mut()), text("data: x\n\n"));
            last_sent = now;
        }
        loop {
            let comment = poll(body.as_mut());
            if comment.is_pending() {
                break;
            }
            assert_eq!(comment, text(":\n"));
            assert!((5_000..=10_000).contains(&(now - last_sent)), "at {now}");
            last_sent = now;
            count += 1;
        }
        assert!(now - last_sent <= 10_000, "silent at {now}");
    }
    assert!((4..=9).contains(&count), "{count}");
    // Frames start no timers.
    assert_eq!(clock.timers.get(), 100_000 / 5_000);
}

#[test]
fn a_shutdown_ends_the_body_at_once_between_two_frames() {
    let (frames, end) = (Frames::default(), Rc::new(Cell::new(false)));
    let is_over = end.clone();
    let over = std::future::poll_fn(move |_| {
        if is_over.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let mut body = pin!(SseBody::new(frames.clone()).with_shutdown(over));
    frames.put("a");
    frames.put("b");
    assert_eq!(poll(body.as_mut()), text("data: a\n\n"));
    assert!(!body.is_end_stream());
    end.set(true);
    assert_eq!(poll(body.as_mut()), Poll::Ready(None));
    assert!(body.is_end_stream());
    assert_eq!(poll(body.as_mut()), Poll::Ready(None));
}

#[test]
fn the_body_ends_with_its_frames_and_an_error_aborts_it() {
    let frames = Frames::default();
    let mut body = pin!(SseBody::new(frames.clone()));
    frames.put("a");
    frames.end();
    assert_eq!(poll(body.as_mut()), text("data: a\n\n"));
    assert_eq!(poll(body.as_mut()), Poll::Ready(None));
    frames.put("late");
    assert_eq!(poll(body.as_mut()), Poll::Ready(None));

    let frames = Frames::default();
    let mut body = pin!(SseBody::new(frames.clone()));
    frames.fail("store is gone");
    // Pending once, so that the server writes the frames before the error.
    assert_eq!(poll(body.as_mut()), Poll::Pending);
    assert!(!body.is_end_stream());
    assert_eq!(poll(body.as_mut()), Poll::Ready(Some(Err("store is gone"))));
    assert!(body.is_end_stream());
    assert_eq!(poll(body.as_mut()), Poll::Ready(None));
}

#[test]
fn options_can_be_set_in_any_order() {
    let clock = Clock::default();
    let second = Duration::from_secs(1);
    let silent = || Frames::default();
    let sleep = || {
        let clock = clock.clone();
        move |time| clock.sleep(time)
    };
    let body = SseBody::new(silent()).with_shutdown(std::future::pending::<()>());
    let mut body = pin!(body.keep_alive(second, sleep()));
    let other = SseBody::new(silent()).keep_alive(second, sleep());
    let mut other = pin!(other.with_shutdown(std::future::pending::<()>()));
    assert!(poll(body.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
    clock.now.set(1000);
    assert_eq!(poll(body.as_mut()), text(":\n"));
    assert_eq!(poll(other.as_mut()), text(":\n"));
}

#[test]
fn a_response_has_the_headers_that_clients_and_proxies_need() {
    let response = SseBody::new(Frames::default()).into_response();
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers.len(), 3);
}

#[test]
fn a_frame_is_encoded_once_and_shared() {
    let frame = EncodedFrame::from(Frame::message("two\nlines"));
    assert_eq!(frame.as_bytes(), b"data: two\ndata: lines\n\n");
    let mut clones = Vec::with_capacity(100);
    let first = frame.clone(); // the first clone allocates the reference count
    let info = allocation_counter::measure(|| clones.extend((0..100).map(|_| frame.clone())));
    assert_eq!(info.count_total, 0);
    assert_eq!(first.into_bytes().as_ptr(), clones[7].as_bytes().as_ptr());
}
