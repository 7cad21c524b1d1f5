//! The whole decoder over fixed memory, in a library without `std`, without an allocator, and with a
//! panic handler of its own: if anything in it could panic, its symbols would say so.

#![no_std]

use sse_proto::{Decoder, Fixed, Item};

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
