//! Growing strings and byte vectors without a panic in the compiled code.
//!
//! A `Vec` panics if its capacity would overflow `isize::MAX`. Memory runs out before that, so this
//! case is treated like any failed allocation and ends in [`handle_alloc_error`]. The capacity
//! checks that look redundant below are for the compiler: they prove that there is capacity, so
//! that it removes the panicking path.

use alloc::{alloc::handle_alloc_error, collections::TryReserveError, string::String, vec::Vec};
use core::alloc::Layout;

pub(crate) trait Buffer {
    /// The number of bytes that can be appended without reallocation.
    fn spare_capacity(&self) -> usize;
    fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError>;
    fn append(&mut self, text: &str);
}

impl Buffer for String {
    #[inline(always)]
    fn spare_capacity(&self) -> usize {
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
    fn spare_capacity(&self) -> usize {
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

/// Reserves capacity for at least `additional` more bytes; amortised, like `Vec::reserve`.
#[inline(always)]
pub(crate) fn reserve(buffer: &mut impl Buffer, additional: usize) {
    if buffer.spare_capacity() < additional {
        reserve_slow(buffer, additional);
    }
}

#[cold]
fn reserve_slow(buffer: &mut impl Buffer, additional: usize) {
    if buffer.try_reserve(additional).is_err() {
        out_of_memory(additional);
    }
}

/// Appends `text`, and reallocates if necessary.
#[inline(always)]
pub(crate) fn push(buffer: &mut impl Buffer, text: &str) {
    reserve(buffer, text.len());
    append(buffer, text);
}

/// Appends `text`, for which the caller has reserved capacity.
#[inline(always)]
pub(crate) fn append(buffer: &mut impl Buffer, text: &str) {
    if buffer.spare_capacity() >= text.len() {
        buffer.append(text);
    }
}

/// Concatenates the texts in an allocation of exactly their length.
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
