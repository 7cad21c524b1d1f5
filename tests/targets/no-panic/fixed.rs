//! All that needs no allocator, as a program: the decoder over fixed memory, the encoder and the connection machine.

#![no_std]
#![no_main]

mod all;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    loop {
        core::hint::black_box(all::fixed());
    }
}
