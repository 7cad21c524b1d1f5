//! A program with everything, including what needs an allocator.

#![no_std]
#![no_main]

extern crate alloc;

mod all;

use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr::null_mut;
use sse_proto::{Decoder, EventSource, Frame, OwnedEvent, decode_all};

/// An allocator that may fail; the compiler cannot know.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: this program is never run.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        black_box(null_mut())
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        black_box(memory);
    }
}

fn heap() -> usize {
    let mut decoder = Decoder::with_max_event_len(black_box(100));
    let mut sum = all::decode(&mut decoder) + all::connect(decoder);
    if let Ok(Some(event)) = Decoder::new().finish() {
        let event = OwnedEvent::from(event);
        sum += event.event_type().len() + event.last_event_id().len();
        sum += event.as_event().data.len() + event.into_data().len();
    }
    for event in Decoder::new().feed(all::text().as_bytes()).owned() {
        sum += usize::from(event.is_ok());
    }
    sum += decode_all(all::text().as_bytes()).count();
    sum += usize::from(EventSource::new(all::text()).is_ok());
    let frame = all::frame().unwrap_or(Frame::keep_alive());
    let (mut vec, mut string) = (black_box(Vec::new()), black_box(String::new()));
    frame.encode_to_vec(&mut vec);
    frame.encode_to_string(&mut string);
    sum + vec.len() + string.len()
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    loop {
        black_box(all::fixed() + heap());
    }
}
