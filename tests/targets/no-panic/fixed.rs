//! A program with everything that needs no allocator: the decoder over fixed memory, the encoder
//! and the event source.

#![no_std]
#![no_main]

mod all;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    loop {
        core::hint::black_box(all::fixed());
    }
}
