//! What the decoder does to the bytes, counted for the tests: how many it scans, how many it moves.
//!
//! Outside of this crate's own tests both functions are empty.

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn scanned(_bytes: usize) {}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn moved(_bytes: usize) {}

#[cfg(test)]
pub(crate) use counting::{moved, scanned, take};

#[cfg(test)]
mod counting {
    extern crate std;
    use core::cell::Cell;

    std::thread_local! {
        static SCANNED: Cell<usize> = const { Cell::new(0) };
        static MOVED: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn scanned(bytes: usize) {
        SCANNED.set(SCANNED.get() + bytes);
    }

    pub(crate) fn moved(bytes: usize) {
        MOVED.set(MOVED.get() + bytes);
    }

    /// Bytes scanned and bytes moved on this thread since the last call.
    pub(crate) fn take() -> (usize, usize) {
        (SCANNED.take(), MOVED.take())
    }
}
