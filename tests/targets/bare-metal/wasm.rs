//! Runs the corpus in a WebAssembly runtime. It needs one import: `print`.

#![no_std]

use bare_metal::MEMORY;
use core::fmt;

unsafe extern "C" {
    fn print(text: *const u8, len: usize);
}

struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the host reads `len` bytes at `text` and keeps no pointer.
        unsafe { print(text.as_ptr(), text.len()) };
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = fmt::Write::write_fmt(&mut Console, format_args!("{info}\n"));
    core::arch::wasm32::unreachable()
}

static mut SCRATCH: [u8; MEMORY] = [0; MEMORY];

/// Runs all cases. Returns whether they passed.
#[unsafe(no_mangle)]
extern "C" fn run() -> bool {
    // SAFETY: the host calls this once, and nothing else uses the memory.
    let memory = unsafe { &mut *(&raw mut SCRATCH) };
    bare_metal::run(memory, &mut Console) == Ok(true)
}
