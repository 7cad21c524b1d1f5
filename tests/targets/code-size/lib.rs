//! Shared by the programs of `tests/targets/code-size/run.sh`: a panic handler, and the device they
//! run on. The compiler knows nothing about the device, so nothing is optimised away.

#![no_std]

use core::time::Duration;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Everything outside the crate.
pub struct Device {
    pub text: fn() -> Option<&'static str>,
    pub status: fn() -> u16,
    pub send: fn(&[u8]),
    pub receive: fn() -> Option<&'static [u8]>,
    pub handle: fn(&str, &str),
    pub too_large: fn(),
    pub sleep: fn(Duration),
}
