//! The whole decoder over fixed memory, and the encoder, in a library without `std`, without an allocator, and with a
//! panic handler of its own: if anything in it could panic, its symbols would say so.

#![no_std]

use core::fmt::Write;
use core::time::Duration;
use sse_proto::{Decoder, Encoder, Fixed, Frame, Item};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Calls everything, so that the linker keeps everything.
#[unsafe(no_mangle)]
pub fn decode(decoder: &mut Decoder<Fixed<&'static mut [u8]>>, chunk: &[u8], id: &str) -> usize {
    let mut sum = usize::from(decoder.set_last_event_id(id).is_ok());
    let mut events = decoder.feed(chunk);
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
    }
    sum += events.rest().len() + decoder.last_event_id().len();
    sum += usize::from(decoder.reconnection_time().is_some());
    sum += decoder
        .finish()
        .map_or(0, |event| usize::from(event.is_some()));
    decoder.reset();
    sum
}

/// Output that takes so many bytes.
pub struct Sink(usize);

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(core::fmt::Error)?;
        Ok(())
    }
}

#[unsafe(no_mangle)]
pub fn encode(encoder: &mut Encoder<Sink>, text: &str, time: Duration, out: &mut [u8]) -> usize {
    let frame = Frame::message(text).comment(text).retry(time);
    let frame = match frame.event(text).and_then(|frame| frame.id(text)) {
        Ok(frame) => frame,
        Err(error) => return error.position() + error.field().len(),
    };
    let mut sum = frame.encoded_len() + frame.pieces().map(str::len).fold(0, usize::wrapping_add);
    sum += match frame.encode_to_slice(out) {
        Ok(len) => len,
        Err(error) => error.needed(),
    };
    sum += usize::from(encoder.write_frame(&frame).is_ok());
    if let Ok(mut event) = encoder.begin(frame) {
        sum += usize::from(event.write_str(text).is_ok());
        sum += usize::from(event.finish().is_ok());
    }
    sum + usize::from(encoder.is_broken())
}
