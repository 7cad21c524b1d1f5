//! The event source over fixed memory, as firmware drives it, including its decoder.

#![no_std]

use code_size::Device;
use core::time::Duration;
use sse_proto::{Action, Decoder, Disconnect, EventSource, Fixed, RetryPolicy};

#[unsafe(no_mangle)]
pub fn program(memory: &mut [u8], device: &Device) -> Option<()> {
    let decoder = Decoder::with_storage(Fixed::new(memory));
    let policy = RetryPolicy::default().backoff(Duration::from_secs(60));
    let source = EventSource::with_decoder("http://10.0.0.1/stream", decoder).ok()?;
    let mut source = source.retry_policy(policy);
    loop {
        match source.action() {
            Action::Connect(request) => {
                for (name, value) in request.headers() {
                    (device.send)(name.as_bytes());
                    (device.send)(value);
                }
                let status = (device.status)();
                let _ = source.handle_response(status, None, [("Content-Type", (device.text)()?)]);
            }
            Action::Read(_) => match (device.receive)() {
                Some(chunk) => {
                    let mut messages = source.feed(chunk);
                    loop {
                        match messages.next_message() {
                            Ok(Some(message)) => (device.handle)(message.event_type, message.data),
                            Ok(None) => break,
                            Err(_) => (device.too_large)(),
                        }
                    }
                }
                None => {
                    let _ = source.handle_disconnect(Disconnect::Network);
                }
            },
            Action::Wait(wait) => {
                (device.sleep)(wait.delay);
                source.handle_wait_elapsed();
            }
            Action::Stop(_) => return None,
        }
    }
}
