//! Line ends: one bit for each byte of a block of 64, kept across the lines of a chunk.
//!
//! A call for each line costs more than the short lines of most streams; a mask over a block is
//! shared by all lines in it. Plain loops over fixed sizes, for the compiler to vectorise.

use crate::gate::{VECTORS, has_high_ends};
use crate::work;

const BLOCK: usize = 64;

/// After so many blocks without a line end the line is taken for a long one.
const MANY: usize = 8;

pub(super) const LF: u8 = b'\n';
pub(super) const CR: u8 = b'\r';

/// The line ends of a chunk, found in order.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    /// Bit `i` is set where the byte at `end - 64 + i` is a CR or an LF.
    mask: u64,
    /// End of the block that `mask` is of; a multiple of 64, and 0 before the first.
    end: usize,
}

impl LineEnds {
    /// The first CR or LF of `chunk` at `from` or later. `from` must not go back.
    #[inline]
    pub(super) fn next(&mut self, chunk: &[u8], from: usize) -> Option<usize> {
        // 64 and more: past the block's end, or there was no block yet.
        let behind = (from + BLOCK).saturating_sub(self.end);
        let mask = if behind < BLOCK {
            self.mask & (u64::MAX << behind)
        } else {
            0
        };
        if mask == 0 {
            return self.search(chunk, from);
        }
        Some(self.end - BLOCK + mask.trailing_zeros() as usize)
    }

    /// Goes on to the block that has one.
    #[inline(never)]
    fn search(&mut self, chunk: &[u8], from: usize) -> Option<usize> {
        if chunk.len() < 8 {
            let rest = chunk.get(from..)?;
            work::scanned(rest.len());
            let end = rest.iter().position(|&byte| byte == LF || byte == CR)?;
            return Some(from + end);
        }
        loop {
            for _ in 0..MANY {
                let rest = chunk.get(self.end..).filter(|rest| !rest.is_empty())?;
                work::scanned(chunk.len().min(BLOCK));
                self.mask = if let Some(block) = rest.first_chunk() {
                    block_mask(block)
                } else if let Some(block) = chunk.last_chunk() {
                    // The whole block that ends with the chunk; the shift drops what was looked at
                    // before.
                    block_mask(block) >> (BLOCK - rest.len())
                } else {
                    short_mask(rest)
                };
                let behind = from.saturating_sub(self.end);
                self.end += BLOCK;
                let mask = if behind < BLOCK {
                    self.mask & (u64::MAX << behind)
                } else {
                    0
                };
                if mask != 0 {
                    return Some(self.end - BLOCK + mask.trailing_zeros() as usize);
                }
            }
            self.end += blocks_of_one_line(chunk.get(self.end..)?);
        }
    }
}

/// The length of whole blocks at the start of `rest` that have no line end for certain.
fn blocks_of_one_line(rest: &[u8]) -> usize {
    #[cfg(feature = "memchr")]
    {
        let end = memchr::memchr2(LF, CR, rest).unwrap_or(rest.len());
        work::scanned(end);
        end / BLOCK * BLOCK
    }
    #[cfg(not(feature = "memchr"))]
    {
        const STRIDE: usize = 4 * BLOCK;
        let quiet = rest.chunks_exact(STRIDE).take_while(|blocks| {
            work::scanned(STRIDE);
            crate::gate::is_one_line(blocks)
        });
        quiet.count() * STRIDE
    }
}

/// One bit for each byte of `block` that is a CR or an LF, the first byte lowest.
#[inline]
fn block_mask(block: &[u8; BLOCK]) -> u64 {
    if !VECTORS {
        return short_mask(block);
    }
    // Most blocks of a long line have no byte that low, and that is seen sooner than lanes are made.
    if has_high_ends::<32>(block) {
        return 0;
    }
    let lanes = u128::from_le_bytes(lanes(block));
    transpose(lanes as u64 | ((lanes >> 64) as u64) << 1)
}

/// In 16 lanes, a bit for each of the four quarters of `block`.
///
/// Not inlined: the compiler turns it into vector instructions only as long as nothing takes the
/// result apart.
#[inline(never)]
fn lanes(block: &[u8; BLOCK]) -> [u8; 16] {
    #[inline(always)]
    fn weight(byte: u8, weight: u8) -> u8 {
        if byte == LF || byte == CR { weight } else { 0 }
    }
    let mut bits = [0; 16];
    // All indices are below 64, which the compiler sees.
    #[allow(clippy::indexing_slicing, clippy::needless_range_loop)]
    for lane in 0..16 {
        bits[lane] = weight(block[lane], 1)
            | weight(block[lane + 16], 4)
            | weight(block[lane + 32], 16)
            | weight(block[lane + 48], 64);
    }
    bits
}

/// Swaps rows and columns of eight bytes of eight bits: bit `k` of byte `i` becomes bit `i` of byte
/// `k`.
#[inline]
fn transpose(mut x: u64) -> u64 {
    let mut swap = |shift: u32, mask: u64| {
        let moved = (x ^ (x >> shift)) & mask;
        x ^= moved ^ (moved << shift);
    };
    swap(7, 0x00AA_00AA_00AA_00AA);
    swap(14, 0x0000_CCCC_0000_CCCC);
    swap(28, 0x0000_0000_F0F0_F0F0);
    x
}

/// The mask of fewer than 64 bytes, in words of eight and then byte by byte.
#[inline(never)]
fn short_mask(bytes: &[u8]) -> u64 {
    let mut mask = 0;
    let mut shift = 0;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        if let Some(word) = word.first_chunk() {
            mask |= word_mask(u64::from_le_bytes(*word)) << shift;
        }
        shift += 8;
    }
    for &byte in words.remainder() {
        mask |= u64::from(byte == LF || byte == CR) << shift;
        shift += 1;
    }
    mask
}

/// One bit for each byte of `word` that is a CR or an LF, the lowest byte first.
#[inline]
fn word_mask(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const LOW: u64 = ONES * 0x7F;
    // The high bit of each byte that is zero; exact, no carry leaves a byte.
    let zeros = |x: u64| !(((x & LOW) + LOW) | x | LOW);
    let found = zeros(word ^ (ONES * LF as u64)) | zeros(word ^ (ONES * CR as u64));
    // Gathers the high bits in the top byte.
    (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn naive(chunk: &[u8]) -> Vec<usize> {
        (0..chunk.len())
            .filter(|&i| chunk[i] == LF || chunk[i] == CR)
            .collect()
    }

    fn found(chunk: &[u8]) -> Vec<usize> {
        let mut ends = LineEnds::default();
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(end) = ends.next(chunk, from) {
            all.push(end);
            from = end + 1;
        }
        all
    }

    #[test]
    fn every_single_position_in_every_length_is_found() {
        for len in 0..200 {
            for at in 0..len {
                for byte in [LF, CR] {
                    let mut chunk = std::vec![b'x'; len];
                    chunk[at] = byte;
                    assert_eq!(found(&chunk), [at], "length {len}");
                }
            }
        }
    }

    #[test]
    fn only_cr_and_lf_are_line_ends() {
        for byte in 0..=u8::MAX {
            for len in [1, 9, 64, 70] {
                let chunk = std::vec![byte; len];
                assert_eq!(
                    found(&chunk),
                    naive(&chunk),
                    "byte {byte:#04x}, length {len}"
                );
            }
        }
    }

    #[test]
    fn mixtures_agree_with_a_byte_loop() {
        let mut state = 1_u32;
        for len in 0..300 {
            let chunk: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    [LF, CR, 0x0B, 0x0C, 0x8A, 0x8D, 0x09, b'x'][(state >> 29) as usize]
                })
                .collect();
            assert_eq!(found(&chunk), naive(&chunk));
        }
    }

    #[test]
    fn a_search_may_start_anywhere_ahead() {
        let chunk = std::vec![LF; 200];
        for first in 0..200 {
            for second in first..200 {
                let mut ends = LineEnds::default();
                assert_eq!(ends.next(&chunk, first), Some(first));
                assert_eq!(ends.next(&chunk, second), Some(second));
            }
        }
    }
}
