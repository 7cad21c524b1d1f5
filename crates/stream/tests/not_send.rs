//! Sources, timers and shutdowns need not be `Send`, as in a browser or on a single-threaded
//! runtime. Types whose parts are `Send` are `Send`, as servers require.

use std::{
    cell::Cell,
    future::{Ready, ready},
    io::{self, Cursor},
    ops::ControlFlow,
    pin::pin,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use futures_executor::block_on;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Response;
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use sse_proto::Frame;
use sse_proto_stream::{BodyStream, EncodedFrame, EventStream, ItemStream, SseBody};

/// The errors are not `Send` either.
type Error = Rc<str>;

#[test]
fn a_stream_works_with_chunks_errors_and_a_source_that_are_not_send() {
    let source = || {
        let bytes: Rc<[u8]> = Rc::from(&b"data: 1\n\n"[..]);
        stream::iter([Ok(bytes), Err(Error::from("broken"))])
    };
    block_on(async {
        let mut events = EventStream::new(source());
        assert_eq!(events.next().await.unwrap().unwrap().data(), "1");
        assert!(events.next().await.unwrap().is_err());

        let mut items = ItemStream::new(source());
        assert!(items.next().await.unwrap().is_ok());

        let count = Rc::new(Cell::new(0));
        let events = pin!(EventStream::new(source()));
        let each = events.for_each_event(|_| {
            count.set(count.get() + 1);
            ControlFlow::<()>::Continue(())
        });
        assert!(each.await.is_err());
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn a_response_may_have_a_body_that_is_not_send() {
    let bytes: Rc<[u8]> = Rc::from(&b"data: {\"n\":1}\n\n"[..]);
    let frame = Ok::<_, Error>(BodyFrame::data(Cursor::new(bytes)));
    let body = StreamBody::new(stream::iter([frame]));
    let response = Response::builder().header("content-type", "text/event-stream");
    let events = EventStream::from_response(response.body(body).unwrap());
    let events = events.expect("an event stream");
    let mut data = events.map_ok(|event| event.data().to_owned());
    assert_eq!(block_on(data.next()).unwrap().unwrap(), "{\"n\":1}");
}

#[cfg(feature = "json")]
#[test]
fn data_deserializes_into_values_that_are_not_send() {
    #[derive(serde::Deserialize)]
    #[serde(from = "u8")]
    struct Value(Rc<u8>);

    impl From<u8> for Value {
        fn from(number: u8) -> Self {
            Self(Rc::new(number))
        }
    }

    let bytes: Rc<[u8]> = Rc::from(&b"data: 7\n\n"[..]);
    let mut values = EventStream::new(stream::iter([Ok::<_, Error>(bytes)])).json::<Value>();
    assert_eq!(*block_on(values.next()).unwrap().unwrap().0, 7);
}

#[test]
fn a_body_works_with_frames_a_timer_and_a_shutdown_that_are_not_send() {
    let sleeps = Rc::new(Cell::new(0));
    let shutdown = Rc::new(Cell::new(false));
    let frames = {
        let number = Rc::new(Cell::new(0));
        stream::poll_fn(move |_| match number.replace(number.get() + 1) {
            0 => Some(Ok::<_, Error>(Frame::message("1").into())).into(),
            _ => std::task::Poll::Pending,
        })
    };
    let sleep = |_| {
        sleeps.set(sleeps.get() + 1);
        let guard = sleeps.clone();
        async move { drop(guard) }
    };
    let is_over = shutdown.clone();
    let over = std::future::poll_fn(move |_| match is_over.get() {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    });
    let body = SseBody::new(frames)
        .keep_alive(Duration::from_secs(1), sleep)
        .with_shutdown(over);
    let mut body = pin!(body.into_response().into_body());
    block_on(async {
        for expected in ["data: 1\n\n", ":\n"] {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), expected);
        }
        assert!(sleeps.get() > 0);
        shutdown.set(true);
        assert!(body.frame().await.is_none());
    });
}

type Source = stream::Empty<io::Result<Bytes>>;
type Frames = stream::Pending<io::Result<EncodedFrame>>;
type Timer = fn(Duration) -> Ready<()>;

const fn is_send<T: Send>() {}

const _: () = {
    is_send::<EventStream<Source>>();
    is_send::<EventStream<BodyStream<Full<Bytes>>>>();
    is_send::<ItemStream<Source>>();
    is_send::<SseBody<Frames>>();
    is_send::<SseBody<Frames, Timer, Ready<()>, Ready<()>>>();
    is_send::<sse_proto_stream::Error<io::Error>>();
};

#[cfg(feature = "json")]
const _: () = is_send::<sse_proto_stream::JsonStream<Source, Rc<u8>>>();

#[test]
fn the_futures_of_a_stream_that_is_send_are_send() {
    let is_send = |_: &(dyn Send + '_)| {};
    let mut events = pin!(EventStream::new(stream::empty::<io::Result<Bytes>>()));
    is_send(&events.next());
    is_send(&(events.as_mut()).for_each_event(|_| ControlFlow::<()>::Continue(())));
    let timer: Timer = |_| ready(());
    let body = SseBody::new(stream::pending::<io::Result<EncodedFrame>>());
    let mut body = pin!(
        body.keep_alive(Duration::from_secs(1), timer)
            .with_shutdown(ready(()))
    );
    is_send(&body.frame());
}
