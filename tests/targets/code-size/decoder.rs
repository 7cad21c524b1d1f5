//! The decoder over fixed memory, as firmware uses it: reads events, and keeps what the next
//! request needs.

#![no_std]

use code_size::Device;
use sse_proto::{Decoder, Fixed};

#[unsafe(no_mangle)]
pub fn program(memory: &mut [u8], device: &Device) -> ! {
    let mut decoder = Decoder::with_storage(Fixed::new(memory));
    loop {
        (device.send)(decoder.last_event_id().as_bytes());
        let wait = decoder.reconnection_time().unwrap_or_default();
        (device.sleep)(wait);
        while let Some(chunk) = (device.receive)() {
            let mut events = decoder.feed(chunk);
            loop {
                match events.next_event() {
                    Ok(Some(event)) => (device.handle)(event.event_type, event.data),
                    Ok(None) => break,
                    Err(_) => (device.too_large)(),
                }
            }
        }
        decoder.reset();
    }
}
