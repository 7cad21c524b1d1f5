//! How strings and byte vectors grow here: as they do by themselves, but without a panic.
//!
//! A `Vec` panics where it would need more memory than there can be. Whoever has that much to hold
//! runs out of memory first; so it is taken for that, and ends in [`handle_alloc_error`] as every
//! failed allocation does. What is asked twice below is asked for the compiler: where it sees that
//! there is room, no panic is left in the program.

use alloc::{alloc::handle_alloc_error, collections::TryReserveError, string::String, vec::Vec};
use core::alloc::Layout;

pub(crate) trait Buffer {
    /// Bytes that can be appended without growth.
    fn room(&self) -> usize;
    fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError>;
    fn append(&mut self, text: &str);
}

impl Buffer for String {
    #[inline(always)]
    fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.try_reserve(additional)
    }

    #[inline(always)]
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Buffer for Vec<u8> {
    #[inline(always)]
    fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.try_reserve(additional)
    }

    #[inline(always)]
    fn append(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Makes room for so many bytes more, and for more than that if it has to grow.
#[inline(always)]
pub(crate) fn reserve(buffer: &mut impl Buffer, additional: usize) {
    if buffer.room() < additional {
        grow(buffer, additional);
    }
}

#[cold]
fn grow(buffer: &mut impl Buffer, additional: usize) {
    if buffer.try_reserve(additional).is_err() {
        out_of_memory(additional);
    }
}

/// Appends `text`; grows if it has to.
#[inline(always)]
pub(crate) fn push(buffer: &mut impl Buffer, text: &str) {
    reserve(buffer, text.len());
    append(buffer, text);
}

/// Appends `text`, for which there is room.
#[inline(always)]
pub(crate) fn append(buffer: &mut impl Buffer, text: &str) {
    if buffer.room() >= text.len() {
        buffer.append(text);
    }
}

/// The texts one after another, in memory of just their size.
#[inline(always)]
pub(crate) fn concat(first: &str, rest: [&str; 2]) -> String {
    let len = rest
        .iter()
        .fold(first.len(), |len, text| len.saturating_add(text.len()));
    let mut all = String::new();
    if all.try_reserve_exact(len).is_err() {
        out_of_memory(len);
    }
    append(&mut all, first);
    if len > first.len() {
        for text in rest {
            append(&mut all, text);
        }
    }
    all
}

#[cold]
#[inline(never)]
pub(crate) fn out_of_memory(additional: usize) -> ! {
    handle_alloc_error(Layout::array::<u8>(additional).unwrap_or(Layout::new::<u8>()))
}
