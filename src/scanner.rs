//! Search for line terminators, which decoder and encoder share.
//!
//! CR, LF and NUL are *low* bytes: below 0x0E. Few texts contain other low bytes, so one comparison
//! usually shows that there is no terminator; a tab and the like need a second look. The code works on
//! blocks of fixed sizes, which the compiler vectorises. Where a length is not a multiple of the block,
//! two blocks overlap; there is no loop over single bytes at the end.

use crate::counters;

/// Whether there are vector instructions. Without them, overlapping blocks only cost code size.
const VECTORS: bool = cfg!(any(
    target_feature = "sse2",
    target_feature = "neon",
    target_feature = "simd128",
));

/// Whether small code is more important than fast code: on 32-bit chips without an operating system.
pub(crate) const OPTIMIZE_FOR_SIZE: bool =
    cfg!(all(target_os = "none", not(target_pointer_width = "64")));

/// Whether `text` has no low byte, and so certainly no line terminator.
#[inline]
pub(crate) fn has_no_line_end(text: &[u8]) -> bool {
    counters::scanned(text.len() % 256);
    match text.len() {
        _ if OPTIMIZE_FOR_SIZE => text.iter().all(|&byte| byte >= 0x0E),
        _ if !VECTORS => has_no_line_end_const(text),
        0..16 => has_no_line_end_const(text),
        16..=32 => ends_have_no_low_byte::<16>(text),
        33..=64 => ends_have_no_low_byte::<32>(text),
        65..=128 => ends_have_no_low_byte::<64>(text),
        129..=256 => ends_have_no_low_byte::<128>(text),
        _ => {
            let strides = text.chunks_exact(256);
            let rest = strides.remainder().len().max(16);
            let is_clean = |stride: &[u8]| {
                counters::scanned(stride.len());
                ends_have_no_low_byte::<128>(stride)
            };
            strides.into_iter().all(is_clean)
                && text.get(text.len() - rest..).is_some_and(has_no_line_end)
        }
    }
}

/// Whether the first `N` bytes of `text` and the last `N`, which may overlap, have no low byte.
#[inline(always)]
fn ends_have_no_low_byte<const N: usize>(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else {
        return false;
    };
    let lowest = min_lanes(min_lanes([u8::MAX; 16], first), last);
    u128::from_ne_bytes(lowest.map(|byte| 0x0E_u8.saturating_sub(byte))) == 0
}

/// The minimum of each of the sixteen lanes.
#[inline(always)]
fn min_lanes<const N: usize>(mut lowest: [u8; 16], window: &[u8; N]) -> [u8; 16] {
    for part in window.chunks_exact(16) {
        for (lowest, byte) in lowest.iter_mut().zip(part) {
            *lowest = (*lowest).min(*byte);
        }
    }
    lowest
}

/// Like [`has_no_line_end`], for short texts and for constants: in words of eight bytes.
#[inline(always)]
pub(crate) const fn has_no_line_end_const(text: &[u8]) -> bool {
    let (Some(last), false) = (text.last_chunk(), OPTIMIZE_FOR_SIZE) else {
        return short_has_no_line_end(text);
    };
    if let (16..=32, Some(first), Some(last)) = (text.len(), text.first_chunk(), text.last_chunk())
    {
        return low_bytes_in(first) | low_bytes_in(last) == 0;
    }
    let mut low = low_bytes(u64::from_le_bytes(*last));
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        low |= low_bytes(u64::from_le_bytes(*word));
        rest = after;
    }
    low == 0
}

#[inline(always)]
const fn short_has_no_line_end(text: &[u8]) -> bool {
    if let (Some(first), Some(last), false) =
        (text.first_chunk(), text.last_chunk(), OPTIMIZE_FOR_SIZE)
    {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return low_bytes(first as u64 | (last as u64) << 32) == 0;
    }
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if *byte < 0x0E {
            return false;
        }
        rest = after;
    }
    true
}

/// A 1 in each byte.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Nonzero if and only if `word` has a low byte; the lowest set bit is in the first one.
#[inline(always)]
const fn low_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x0E) & !word & (ONES << 7)
}

/// Nonzero if and only if `block` has a low byte.
#[inline(always)]
const fn low_bytes_in(block: &[u8; 16]) -> u64 {
    let words = u128::from_le_bytes(*block);
    low_bytes(words as u64) | low_bytes((words >> 64) as u64)
}

/// The position and value of the first CR or LF in `text`, or, if `nul` is set, of the first NUL.
#[cold]
pub(crate) const fn find_forbidden(text: &[u8], nul: bool) -> Option<(usize, u8)> {
    let mut position = 0;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if is_line_end(*byte) || nul && *byte == 0 {
            return Some((position, *byte));
        }
        position += 1;
        rest = after;
    }
    None
}

/// The position of the first CR or LF in `text`.
// Most lines are short: only the search of the first sixteen bytes is inlined.
#[inline(always)]
pub(crate) fn find_line_end(text: &[u8]) -> Option<usize> {
    let start = match text.first_chunk::<16>() {
        Some(block) if !OPTIMIZE_FOR_SIZE => match first_line_end(block) {
            Some(end) => return Some(end),
            None => block.len(),
        },
        None if !OPTIMIZE_FOR_SIZE => return first_line_end_short(text),
        _ => 0,
    };
    find_line_end_from(text, start)
}

/// Like [`find_line_end`], but the first `start` bytes are known to have no terminator. Not inlined.
#[inline]
pub(crate) fn find_line_end_from(text: &[u8], start: usize) -> Option<usize> {
    if OPTIMIZE_FOR_SIZE {
        return text.iter().position(|&byte| is_line_end(byte));
    }
    match find_near(text, start) {
        Ok(end) => Some(end),
        Err(searched) if searched == text.len() => None,
        Err(searched) => find_far(text, searched),
    }
}

/// The position of the first terminator at or after `start`; or, as an error, how many bytes have none:
/// all of the text, or so many that the line is treated as a long one.
#[inline(never)]
fn find_near(text: &[u8], start: usize) -> Result<usize, usize> {
    const MANY: usize = 16;
    let mut rest = text.get(start..).unwrap_or_default();
    loop {
        let mut left = if VECTORS { MANY } else { 0 };
        while let (1.., Some((block, after))) = (left, rest.split_first_chunk::<32>()) {
            counters::scanned(block.len());
            if !ends_have_no_low_byte::<16>(block) {
                break;
            }
            rest = after;
            left -= 1;
            if left == 0 {
                return Err(text.len() - rest.len());
            }
        }
        for _ in 0..2 {
            let before = text.len() - rest.len();
            let Some((block, after)) = rest.split_first_chunk::<16>() else {
                let end = first_line_end(rest).ok_or(text.len())?;
                return Ok(before + end);
            };
            if let Some(end) = first_line_end(block) {
                return Ok(before + end);
            }
            rest = after;
        }
    }
}

/// Calls `found` with the position of each CR and LF in `text`, in order, until it returns `false`.
// It goes block by block, wherever lines end: no search has to wait for the result of the one before.
#[inline(always)]
pub(crate) fn each_line_end(text: &[u8], mut found: impl FnMut(usize) -> bool) {
    let mut rest = text;
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        counters::scanned(rest.len().min(32));
        let mut low = match rest.split_first_chunk() {
            Some((block, after)) => {
                rest = after;
                if VECTORS && ends_have_no_low_byte::<16>(block) {
                    continue;
                }
                low_bits(block)
            }
            None => {
                let mut block = [u8::MAX; 32];
                if let Some(block) = block.get_mut(..rest.len()) {
                    block.copy_from_slice(rest);
                }
                rest = &[];
                low_bits(&block)
            }
        };
        while low != 0 {
            let place = start + low.trailing_zeros() as usize;
            low &= low - 1;
            if text.get(place).is_some_and(|&byte| is_line_end(byte)) && !found(place) {
                return;
            }
        }
    }
}

/// A bit for each low byte. Bits after the first one may be wrong: the caller checks the byte.
#[inline(always)]
fn low_bits(block: &[u8; 32]) -> u32 {
    /// Multiplying by this gathers the highest bits of all bytes in the last byte.
    const GATHER: u64 = 0x0002_0408_1020_4081;
    let mut bits = 0;
    let mut rest = &block[..];
    while let Some((before, word)) = rest.split_last_chunk() {
        let low = low_bytes(u64::from_le_bytes(*word));
        bits = bits << 8 | (low.wrapping_mul(GATHER) >> 56) as u32;
        rest = before;
    }
    bits
}

/// The position of the first terminator after `searched`, in a long line.
#[inline(never)]
fn find_far(text: &[u8], mut searched: usize) -> Option<usize> {
    loop {
        searched += len_without_line_end(text.get(searched..)?);
        match find_near(text, searched) {
            Ok(end) => return Some(end),
            Err(all) if all == text.len() => return None,
            Err(further) => searched = further,
        }
    }
}

/// How many bytes at the start of `text` certainly have no terminator.
fn len_without_line_end(text: &[u8]) -> usize {
    #[cfg(feature = "memchr")]
    let len = memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len());
    #[cfg(not(feature = "memchr"))]
    let len = {
        const STRIDE: usize = 256;
        let strides = text.chunks_exact(STRIDE);
        let quiet = strides.take_while(|stride| ends_have_no_low_byte::<128>(stride));
        STRIDE * quiet.count()
    };
    counters::scanned(len);
    len
}

#[inline(always)]
const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[inline(never)]
fn first_line_end_short(bytes: &[u8]) -> Option<usize> {
    first_line_end(bytes)
}

/// The position of the first terminator in up to sixteen bytes.
#[inline(always)]
fn first_line_end(bytes: &[u8]) -> Option<usize> {
    let low = find_low_byte(bytes)?;
    let rest = bytes.get(low..)?;
    let end = rest.iter().position(|&byte| is_line_end(byte))?;
    Some(low + end)
}

/// The position of the first low byte in up to sixteen bytes.
#[inline(always)]
fn find_low_byte(bytes: &[u8]) -> Option<usize> {
    counters::scanned(bytes.len());
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().position(|&byte| byte < 0x0E);
    };
    let first = low_bytes(u64::from_le_bytes(*first));
    let last = low_bytes(u64::from_le_bytes(*last));
    if first | last == 0 {
        return None;
    }
    Some(if first != 0 {
        first.trailing_zeros() as usize / 8
    } else {
        bytes.len() - 8 + last.trailing_zeros() as usize / 8
    })
}

/// The number of LFs in `text`; `None` if it also has a CR.
pub(crate) fn count_lf(text: &[u8]) -> Option<usize> {
    let mut count = 0;
    // The count of a block fits into a byte, and a block into whole vectors.
    for block in text.chunks(192) {
        let (mut lf, mut cr) = (0, 0);
        for byte in block {
            lf += u8::from(*byte == b'\n');
            cr |= u8::from(*byte == b'\r');
        }
        if cr != 0 {
            return None;
        }
        count += usize::from(lf);
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{vec, vec::Vec};

    fn all_line_ends(text: &[u8]) -> Vec<usize> {
        let mut all = vec![];
        let mut start = 0;
        while let Some(end) = find_line_end(&text[start..]) {
            all.push(start + end);
            start += end + 1;
        }
        all
    }

    fn naive(text: &[u8]) -> Vec<usize> {
        (0..text.len())
            .filter(|&i| text[i] == b'\n' || text[i] == b'\r')
            .collect()
    }

    #[test]
    fn a_line_end_is_found_at_every_position_in_every_length() {
        for len in (0..200).chain(500..550).chain(780..840) {
            let mut text = vec![b'x'; len];
            assert_eq!(find_line_end(&text), None, "length {len}");
            for at in 0..len {
                for byte in [b'\n', b'\r'] {
                    text[at] = byte;
                    assert_eq!(find_line_end(&text), Some(at), "length {len}");
                }
                text[at] = b'x';
            }
        }
    }

    #[test]
    fn no_other_byte_is_a_line_end_or_hides_one() {
        for byte in 0..=u8::MAX {
            for len in [1, 7, 9, 15, 17, 31, 64, 70, 600, 2000] {
                let mut text = vec![byte; len];
                assert_eq!(
                    all_line_ends(&text),
                    naive(&text),
                    "byte {byte:#04x}, length {len}"
                );
                text[len - 1] = b'\n';
                assert_eq!(
                    all_line_ends(&text),
                    naive(&text),
                    "byte {byte:#04x}, length {len}"
                );
            }
        }
    }

    #[test]
    fn mixtures_agree_with_a_byte_loop() {
        let mut state = 1_u32;
        for len in 0..300 {
            let text: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    [b'\n', b'\r', 0x0B, 0x0C, 0x8A, 0x8D, 0x09, b'x'][(state >> 29) as usize]
                })
                .collect();
            assert_eq!(all_line_ends(&text), naive(&text));
            for start in 0..len {
                let first = naive(&text[start..]).first().copied();
                assert_eq!(find_line_end(&text[start..]), first);
            }
        }
    }

    #[test]
    fn a_text_is_one_line_for_certain_only_without_line_ends() {
        for len in 0..600 {
            let mut text = vec![b'x'; len];
            assert!(has_no_line_end(&text), "length {len}");
            for at in 0..len {
                for byte in [b'\n', b'\r', 0, 0x0D] {
                    text[at] = byte;
                    assert!(!has_no_line_end(&text), "length {len}, position {at}");
                }
                text[at] = 0x0E;
                assert!(has_no_line_end(&text), "length {len}, position {at}");
                text[at] = b'x';
            }
        }
    }
}
