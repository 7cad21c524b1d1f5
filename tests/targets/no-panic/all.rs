//! Calls the whole API of the crate, with arguments that the compiler cannot know, so that the
//! linker keeps all of it. It is never run.

use core::fmt::{self, Write};
use core::hint::black_box;
use core::panic::PanicInfo;
use core::time::Duration;
use sse_proto::{
    Action, Decoder, Disconnect, Encoder, EventSource, Fixed, Frame, Item, Origin, Reason,
    ReconnectTo, RetryPolicy, Storage, StreamItem, is_event_stream,
};

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// A text that the compiler cannot know.
pub fn text() -> &'static str {
    black_box("text")
}

pub fn decode<S: Storage>(decoder: &mut Decoder<S>) -> usize {
    let mut sum = match decoder.set_last_event_id(text()) {
        Ok(()) => 1,
        Err(error) => error.limit(),
    };
    let mut events = decoder.feed(text().as_bytes());
    loop {
        match events.next_item() {
            Ok(Some(Item::Event(event))) => sum += event.data.len() + event.event_type.len(),
            Ok(Some(Item::Comment(text))) => sum += text.len(),
            Ok(Some(_)) => sum += 1,
            Ok(None) => break,
            Err(error) => sum += error.limit(),
        }
    }
    while let Ok(Some(event)) = events.next_event() {
        sum += event.last_event_id.len();
        sum += usize::from(Frame::try_from(event).is_ok());
    }
    sum += events.rest().len() + decoder.last_event_id().len();
    sum += usize::from(decoder.unfinished().is_some());
    sum += usize::from(decoder.reconnection_time().is_some());
    sum += match decoder.finish() {
        Ok(event) => usize::from(event.is_some()),
        Err(error) => error.limit(),
    };
    decoder.reset();
    sum
}

/// Output that accepts a limited number of bytes.
pub struct Sink(usize);

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

pub fn frame() -> Option<Frame<'static>> {
    let frame = Frame::message(text()).comment(text());
    let frame = frame.retry(black_box(Duration::MAX)).event(text());
    frame.and_then(|frame| frame.id(text())).ok()
}

pub fn encode(out: &mut [u8]) -> usize {
    let Some(frame) = frame() else {
        let refused = Frame::new().event(text());
        return refused.map_or_else(|error| error.position() + error.field().len(), |_| 0);
    };
    let mut encoder = Encoder::new(Sink(black_box(100)));
    let mut sum = frame.encoded_len() + frame.pieces().map(str::len).fold(0, usize::wrapping_add);
    sum += match frame.encode_to_slice(out) {
        Ok(len) => len,
        Err(error) => error.needed(),
    };
    sum += usize::from(frame.encode_to_fmt(&mut Sink(black_box(100))).is_ok());
    sum += usize::from(encoder.write_frame(&frame).is_ok());
    if let Ok(mut event) = encoder.begin_event(frame) {
        sum += usize::from(event.write_str(text()).is_ok());
        sum += usize::from(event.finish().is_ok());
    }
    sum += usize::from(write!(Sink(black_box(100)), "{frame}").is_ok());
    sum + usize::from(encoder.is_broken())
}

/// Formats everything that implements `Display`.
fn show() -> usize {
    let mut sink = Sink(black_box(100));
    let mut memory = [0; 8];
    let mut decoder = Decoder::with_storage(Fixed::new(&mut memory[..]));
    let mut result = Ok(());
    if let Err(error) = decoder.set_last_event_id(text()) {
        result = result.and(write!(sink, "{error}"));
    }
    if let Err(error) = decoder.feed(text().as_bytes()).next_event() {
        result = result.and(write!(sink, "{error}"));
    }
    if let Err(error) = Frame::new().event(text()) {
        result = result.and(write!(sink, "{error}"));
    }
    if let Err(error) = Frame::new().encode_to_slice(black_box(&mut [])) {
        result = result.and(write!(sink, "{error}"));
    }
    if let Err(error) = EventSource::with_decoder(text(), decoder) {
        result = result.and(write!(sink, "{error}"));
    }
    result = result.and(write!(
        sink,
        "{}{}",
        Origin::of(text()),
        black_box(Reason::EndOfBody)
    ));
    usize::from(result.is_ok())
}

pub fn connect<S: Storage>(decoder: Decoder<S>) -> usize {
    let policy = RetryPolicy::new()
        .reconnection_time(black_box(Duration::MAX))
        .min_delay(black_box(Duration::MAX));
    let policy = policy
        .max_delay(black_box(Duration::MAX))
        .backoff(black_box(Duration::MAX));
    let policy = policy
        .jitter(black_box(u32::MAX))
        .statuses(black_box(&[503]))
        .status_range(black_box(500..=999))
        .statuses_where(black_box(|status| status > 400));
    let policy = policy
        .stable_after(black_box(Duration::MAX))
        .max_failures(black_box(u32::MAX))
        .retry_content_type(black_box(true));
    let Ok(source) = EventSource::with_decoder(text(), decoder) else {
        return 0;
    };
    let source = source
        .reconnect_to(black_box(ReconnectTo::PermanentUrl))
        .response_timeout(black_box(Duration::MAX))
        .read_timeout(black_box(Duration::MAX));
    let mut source = source
        .cache_control(black_box(false))
        .max_last_event_id_len(black_box(9))
        .retry_policy(policy);
    let mut sum = 0;
    while black_box(true) {
        sum += step(&mut source);
    }
    sum
}

#[inline(never)]
fn step<S: Storage>(source: &mut EventSource<&'static str, S>) -> usize {
    source.handle_redirect(black_box(301), text());
    let headers = [("Content-Type", text()), ("Retry-After", text())];
    let signal = source.handle_response(black_box(200), black_box(Some(text())), headers);
    let mut sum = usize::from(signal.is_some()) + usize::from(is_event_stream([text()]));
    let mut messages = source.feed(text().as_bytes());
    while let Ok(Some(message)) = messages.next_message() {
        sum += message.data.len() + usize::from(message.origin == text());
    }
    while let Ok(Some(StreamItem::Message(message))) = messages.next_item() {
        sum += usize::from(message.origin.is_opaque());
    }
    sum += messages.rest().len();
    if black_box(true) {
        messages.expect_end();
        messages.close();
    }
    source.handle_stable_elapsed();
    source.expect_end();
    sum += usize::from(source.reconnect_now().is_some());
    sum += usize::from(source.set_url(text()).is_ok()) + source.failures() as usize;
    sum += usize::from(source.last_event_id_omitted());
    sum += usize::from(source.set_last_event_id(text()).is_ok());
    sum += usize::from(source.origin() == Origin::of(text())) + source.last_event_id().len();
    sum += usize::from(
        source
            .handle_disconnect(black_box(Disconnect::Network))
            .is_some(),
    );
    sum += match source.action() {
        Action::Connect(request) => request.headers().map(|(_, value)| value.len()).count(),
        Action::Wait(wait) => usize::from(wait.with_jitter(black_box(7)) > Duration::from_secs(9)),
        Action::Read(_) => 1,
        Action::Stop(_) => 2,
    };
    source.handle_wait_elapsed();
    if black_box(true) {
        source.reset_backoff();
        source.close();
    }
    sum + usize::from(source.reconnection_time() > Duration::from_secs(9))
}

pub fn fixed() -> usize {
    let mut memory = [0; 1024];
    let mut out = [0; 256];
    let mut decoder = Decoder::with_storage(Fixed::new(black_box(&mut memory[..])));
    let mut sum = decode(&mut decoder) + encode(black_box(&mut out[..])) + show();
    sum += connect(decoder);
    let len = black_box(7);
    sum + decode(&mut Decoder::with_storage(Fixed::with_field_capacity(
        [0; 64], len,
    )))
}
