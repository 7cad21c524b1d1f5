//! The question that almost every text answers with no: is there a byte in it that needs care?
//!
//! CR, LF and NUL are all below 0x0E, so one comparison finds that there is none; what has a tab or
//! the like gets a closer look. Plain code over fixed sizes, for the compiler to vectorise. Lengths
//! that are no multiple are covered by two windows that overlap, instead of a tail byte by byte.

/// Whether there are vector instructions. Without them, windows are no more than a lot of code.
pub(crate) const VECTORS: bool = cfg!(any(
    target_feature = "sse2",
    target_feature = "neon",
    target_feature = "simd128",
));

/// Whether no byte of `text` is below 0x0E, so that it has no line end for certain.
#[inline]
pub(crate) fn is_one_line(text: &[u8]) -> bool {
    match text.len() {
        _ if !VECTORS => is_high(text),
        0..16 => is_high(text),
        16..32 => has_high_ends::<16>(text),
        32..64 => has_high_ends::<32>(text),
        64..128 => has_high_ends::<64>(text),
        128..256 => has_high_ends::<128>(text),
        _ => {
            text.chunks_exact(256).all(has_high_ends::<128>)
                && text
                    .last_chunk()
                    .is_some_and(|last: &[u8; 256]| has_high_ends::<128>(last))
        }
    }
}

/// Whether the first `N` bytes of `text` and the last `N`, which may overlap, are 0x0E or higher.
#[inline(always)]
pub(crate) fn has_high_ends<const N: usize>(text: &[u8]) -> bool {
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
pub(crate) const fn is_high(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else {
        return is_high_short(text);
    };
    let mut low = low_bytes(u64::from_le_bytes(*last));
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        low |= low_bytes(u64::from_le_bytes(*word));
        rest = behind;
    }
    low == 0
}

#[inline(always)]
const fn is_high_short(text: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
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

/// Not zero exactly if a byte of `word` is below 0x0E.
#[inline(always)]
const fn low_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH * 0x0E) & !word & (EACH << 7)
}

/// Where the first CR or LF of `text` stands, or, if `nul` says so, the first NUL; and which it is.
#[cold]
pub(crate) const fn find_forbidden(text: &[u8], nul: bool) -> Option<(usize, u8)> {
    let mut position = 0;
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if matches!(byte, b'\r' | b'\n') || nul && *byte == 0 {
            return Some((position, *byte));
        }
        position += 1;
        rest = behind;
    }
    None
}

/// Where the first CR or LF of `text` stands.
#[inline]
pub(crate) fn find_line_end(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    while let Some((block, behind)) = rest.split_first_chunk::<32>() {
        if !has_high_ends::<16>(block) {
            if let Some(end) = find_in_words(block) {
                return Some(text.len() - rest.len() + end);
            }
        }
        rest = behind;
    }
    find_in_words(rest).map(|end| text.len() - rest.len() + end)
}

#[inline]
fn find_in_words(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let hits =
            zero_bytes(word ^ (EACH * b'\n' as u64)) | zero_bytes(word ^ (EACH * b'\r' as u64));
        if hits != 0 {
            return Some(text.len() - rest.len() + hits.trailing_zeros() as usize / 8);
        }
        rest = behind;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    end.map(|end| text.len() - rest.len() + end)
}

/// Not zero exactly if a byte of `word` is zero; the lowest bit that is set is in the first such
/// byte.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & (EACH << 7)
}

/// How often `byte` stands in `text`.
pub(crate) fn count(text: &[u8], byte: u8) -> usize {
    // So many at a time that the sum is a byte, too.
    let blocks = text.chunks(255);
    blocks
        .map(|block| usize::from(block.iter().map(|b| u8::from(*b == byte)).sum::<u8>()))
        .sum()
}
