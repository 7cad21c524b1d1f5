//! The question that almost every text answers with no: is there a line end in it?
//!
//! Plain code over fixed sizes, for the compiler to vectorise. Lengths that are no multiple are
//! covered by two windows that overlap, instead of a tail byte by byte.

const NUL: u8 = 0;
const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// Whether `text` has no line end for certain. (VT and FF may make it say no as well: bytes from 0x0A
/// to 0x0D are one comparison.)
#[inline]
pub(super) fn is_one_line(text: &[u8]) -> bool {
    if text.len() >= 128 {
        return is_long_one_line(text);
    }
    if let Some((first, last)) = windows::<64>(text) {
        return lowest(first, last);
    }
    if let Some((first, last)) = windows::<32>(text) {
        return lowest(first, last);
    }
    if let Some((first, last)) = windows::<16>(text) {
        return lowest(first, last);
    }
    !has_forbidden(text, false)
}

#[inline]
fn is_long_one_line(text: &[u8]) -> bool {
    let mut blocks = text.chunks_exact(128);
    blocks.all(|block| match block.first_chunk::<128>() {
        Some(block) => lowest(block, block),
        None => true,
    }) && text
        .last_chunk::<128>()
        .is_none_or(|last| lowest(last, last))
}

fn windows<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    text.first_chunk().zip(text.last_chunk())
}

/// Whether no byte of the two windows is from 0x0A to 0x0D, the four that come lowest when LF is
/// taken from all.
#[inline]
fn lowest<const N: usize>(first: &[u8; N], last: &[u8; N]) -> bool {
    let mut lanes = [u8::MAX; 16];
    for window in [first, last] {
        for part in window.chunks_exact(16) {
            for (lane, byte) in lanes.iter_mut().zip(part) {
                *lane = (*lane).min(byte.wrapping_sub(LF));
            }
        }
    }
    lanes.iter().fold(u8::MAX, |low, lane| low.min(*lane)) > CR - LF
}

/// Whether `text` has a CR or an LF, or, if `nul` says so, a NUL. For short texts, also in constants.
#[inline]
pub(super) const fn has_forbidden(text: &[u8], nul: bool) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        if text.len() <= 8 {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            return word_has_forbidden(first as u64 | (last as u64) << 32, nul);
        }
    }
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        if word_has_forbidden(u64::from_le_bytes(*word), nul) {
            return true;
        }
        rest = behind;
    }
    if rest.is_empty() {
        return false;
    }
    if let Some(word) = text.last_chunk::<8>() {
        return word_has_forbidden(u64::from_le_bytes(*word), nul);
    }
    while let [byte, behind @ ..] = rest {
        if is_forbidden(*byte, nul) {
            return true;
        }
        rest = behind;
    }
    false
}

#[inline]
const fn word_has_forbidden(word: u64, nul: bool) -> bool {
    let hits = zeros(word ^ EACH * LF as u64) | zeros(word ^ EACH * CR as u64);
    hits != 0 || nul && zeros(word) != 0
}

const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Not zero exactly if a byte of `word` is zero.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & EACH << 7
}

#[inline]
pub(super) const fn is_forbidden(byte: u8, nul: bool) -> bool {
    byte == CR || byte == LF || nul && byte == NUL
}
