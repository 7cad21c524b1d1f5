//! Ctrl-C.

use std::{process, thread, time::Duration};

/// The exit code of a program that was ended by Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

/// Calls `stop` at Ctrl-C. To exit at once could truncate a line of the output.
pub(crate) fn at_ctrl_c(stop: impl Fn() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        stop();
        // Exit in any case, even if a write to standard output blocks.
        thread::sleep(Duration::from_secs(1));
        process::exit(EXIT_CODE.into());
    })
}
