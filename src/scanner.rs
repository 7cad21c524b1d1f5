//! Line ends: whether there is one in a text, and where.
//!
//! CR, LF and NUL are all below 0x0E, so one comparison finds that there is none; what has a tab or
//! the like gets a closer look. Plain code over fixed sizes, for the compiler to vectorise. Lengths
//! that are no multiple are covered by two windows that overlap, instead of a tail byte by byte.

use crate::counters;

/// Whether there are vector instructions. Without them, windows are no more than a lot of code.
const VECTORS: bool = cfg!(any(
    target_feature = "sse2",
    target_feature = "neon",
    target_feature = "simd128",
));

/// Whether the size of the code counts for more than its speed: on chips without an operating
/// system.
pub(crate) const OPTIMIZE_FOR_SIZE: bool =
    cfg!(all(target_os = "none", not(target_pointer_width = "64")));

/// Whether no byte of `text` is below 0x0E, so that it has no line end for certain.
#[inline]
pub(crate) fn has_no_line_end(text: &[u8]) -> bool {
    counters::scanned(text.len() % 256);
    match text.len() {
        _ if OPTIMIZE_FOR_SIZE => text.iter().all(|&byte| byte >= 0x0E),
        _ if !VECTORS => has_no_line_end_const(text),
        0..16 => has_no_line_end_const(text),
        16..=32 => has_high_ends::<16>(text),
        33..=64 => has_high_ends::<32>(text),
        65..=128 => has_high_ends::<64>(text),
        129..=256 => has_high_ends::<128>(text),
        _ => {
            let strides = text.chunks_exact(256);
            let rest = strides.remainder().len().max(16);
            let is_clean = |stride: &[u8]| {
                counters::scanned(stride.len());
                has_high_ends::<128>(stride)
            };
            strides.into_iter().all(is_clean)
                && text.get(text.len() - rest..).is_some_and(has_no_line_end)
        }
    }
}

/// Whether the first `N` bytes of `text` and the last `N`, which may overlap, are 0x0E or higher.
#[inline(always)]
fn has_high_ends<const N: usize>(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else {
        return false;
    };
    let lowest = lower(lower([u8::MAX; 16], first), last);
    u128::from_ne_bytes(lowest.map(|byte| 0x0E_u8.saturating_sub(byte))) == 0
}

/// The lowest byte of each lane of sixteen.
#[inline(always)]
fn lower<const N: usize>(mut lowest: [u8; 16], window: &[u8; N]) -> [u8; 16] {
    for part in window.chunks_exact(16) {
        for (lowest, byte) in lowest.iter_mut().zip(part) {
            *lowest = (*lowest).min(*byte);
        }
    }
    lowest
}

/// The same question for short texts and in constants, in words of eight bytes.
#[inline(always)]
pub(crate) const fn has_no_line_end_const(text: &[u8]) -> bool {
    let (Some(last), false) = (text.last_chunk(), OPTIMIZE_FOR_SIZE) else {
        return short_has_no_line_end(text);
    };
    if let (16..=32, Some(first), Some(last)) = (text.len(), text.first_chunk(), text.last_chunk())
    {
        return low_in(first) | low_in(last) == 0;
    }
    let mut low = low_bytes(u64::from_le_bytes(*last));
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        low |= low_bytes(u64::from_le_bytes(*word));
        rest = behind;
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
    while let [byte, behind @ ..] = rest {
        if *byte < 0x0E {
            return false;
        }
        rest = behind;
    }
    true
}

/// One in each byte.
const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Not zero exactly if a byte of `word` is below 0x0E; the lowest bit that is set is in the first
/// such byte.
#[inline(always)]
const fn low_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH * 0x0E) & !word & (EACH << 7)
}

/// Not zero exactly if a byte of `block` is below 0x0E.
#[inline(always)]
const fn low_in(block: &[u8; 16]) -> u64 {
    let words = u128::from_le_bytes(*block);
    low_bytes(words as u64) | low_bytes((words >> 64) as u64)
}

/// Where the first CR or LF of `text` stands, or, if `nul` says so, the first NUL; and which it is.
#[cold]
pub(crate) const fn find_forbidden(text: &[u8], nul: bool) -> Option<(usize, u8)> {
    let mut position = 0;
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if is_line_end(*byte) || nul && *byte == 0 {
            return Some((position, *byte));
        }
        position += 1;
        rest = behind;
    }
    None
}

/// Where the first CR or LF of `text` stands.
///
/// A byte below 0x0E nearly always is one, and most lines are short: the first sixteen bytes alone
/// are looked at in the caller.
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

/// The same where the first `start` bytes are known to have none: 0 for lines so long that nothing
/// is gained by a look in the caller.
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

/// The first one at `start` or behind it; or else, how far there is none, which is the whole text
/// or so much that the line is taken for a long one.
#[inline(never)]
fn find_near(text: &[u8], start: usize) -> Result<usize, usize> {
    const MANY: usize = 16;
    let mut rest = text.get(start..).unwrap_or_default();
    loop {
        let mut left = if VECTORS { MANY } else { 0 };
        while let (1.., Some((block, behind))) = (left, rest.split_first_chunk::<32>()) {
            counters::scanned(block.len());
            if !has_high_ends::<16>(block) {
                break;
            }
            rest = behind;
            left -= 1;
            if left == 0 {
                return Err(text.len() - rest.len());
            }
        }
        for _ in 0..2 {
            let before = text.len() - rest.len();
            let Some((block, behind)) = rest.split_first_chunk::<16>() else {
                let end = first_line_end(rest).ok_or(text.len())?;
                return Ok(before + end);
            };
            if let Some(end) = first_line_end(block) {
                return Ok(before + end);
            }
            rest = behind;
        }
    }
}

/// Hands the place of each CR and LF of `text` to `found`, in order, as long as it says `true`.
///
/// Blocks follow one another wherever lines end: no search waits for the end of another one.
#[inline(always)]
pub(crate) fn each_line_end(text: &[u8], mut found: impl FnMut(usize) -> bool) {
    let mut rest = text;
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        counters::scanned(rest.len().min(32));
        let mut low = match rest.split_first_chunk() {
            Some((block, behind)) => {
                rest = behind;
                if VECTORS && has_high_ends::<16>(block) {
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

/// A bit for each byte below 0x0E, and maybe for others behind the first one.
#[inline(always)]
fn low_bits(block: &[u8; 32]) -> u32 {
    /// Brings the highest bit of each byte of a word into its last byte, that of the first one lowest.
    const GATHER: u64 = 0x0002_0408_1020_4081;
    let mut bits = 0;
    let mut rest = &block[..];
    while let Some((behind, word)) = rest.split_last_chunk() {
        let low = low_bytes(u64::from_le_bytes(*word));
        bits = bits << 8 | (low.wrapping_mul(GATHER) >> 56) as u32;
        rest = behind;
    }
    bits
}

/// The first one behind `searched`, in a long line.
#[inline(never)]
fn find_far(text: &[u8], mut searched: usize) -> Option<usize> {
    loop {
        searched += no_line_end(text.get(searched..)?);
        match find_near(text, searched) {
            Ok(end) => return Some(end),
            Err(all) if all == text.len() => return None,
            Err(further) => searched = further,
        }
    }
}

/// So many bytes at the start of `text` have no line end for certain.
fn no_line_end(text: &[u8]) -> usize {
    #[cfg(feature = "memchr")]
    let len = memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len());
    #[cfg(not(feature = "memchr"))]
    let len = {
        const STRIDE: usize = 256;
        let strides = text.chunks_exact(STRIDE);
        let quiet = strides.take_while(|stride| has_high_ends::<128>(stride));
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

/// The first one in up to sixteen bytes.
#[inline(always)]
fn first_line_end(bytes: &[u8]) -> Option<usize> {
    let low = first_low(bytes)?;
    let rest = bytes.get(low..)?;
    let end = rest.iter().position(|&byte| is_line_end(byte))?;
    Some(low + end)
}

/// Where the first byte below 0x0E is among up to sixteen.
#[inline(always)]
fn first_low(bytes: &[u8]) -> Option<usize> {
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

/// How many LFs there are in `text`; `None` if it has a CR, too.
pub(crate) fn count_lf(text: &[u8]) -> Option<usize> {
    let mut count = 0;
    // So many at a time that the sum is a byte, too; and whole vectors.
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
