//! Runs the corpus on a microcontroller emulated by QEMU: a Cortex-M4 or a RISC-V, without an
//! operating system.

#![no_std]
#![no_main]

use bare_metal::MEMORY;
use core::fmt;
#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;
use semihosting::{print, process};

/// Writes to the console of the debugger.
struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

static mut SCRATCH: [u8; MEMORY] = [0; MEMORY];

#[entry]
fn main() -> ! {
    // SAFETY: `main` runs once, and nothing else uses the memory.
    let memory = unsafe { &mut *(&raw mut SCRATCH) };
    let passed = bare_metal::run(memory, &mut Console);
    process::exit(i32::from(passed != Ok(true)))
}
