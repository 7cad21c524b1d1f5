//! The encoder, as firmware uses it: writes events and keep-alive comments into a buffer.

#![no_std]

use code_size::Device;
use sse_proto::Frame;

#[unsafe(no_mangle)]
pub fn program(memory: &mut [u8], device: &Device) {
    while let Some(text) = (device.text)() {
        let frame = Frame::message(text)
            .event(text)
            .and_then(|frame| frame.id(text));
        let frame = frame.unwrap_or(Frame::keep_alive());
        let len = frame.encode_to_slice(memory).unwrap_or(0);
        (device.send)(memory.get(..len).unwrap_or_default());
    }
}
