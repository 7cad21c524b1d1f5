//! A set of HTTP statuses, as a bit set of fixed size.

/// A set of statuses from 100 to 999, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Statuses {
    words: [u32; 29],
}

impl Statuses {
    pub(super) const MIN: u16 = 100;
    pub(super) const MAX: u16 = 999;
    pub(super) const NONE: Self = Self { words: [0; 29] };

    /// Adds `status`. Has no effect if it is out of range.
    pub(super) const fn with(mut self, status: u16) -> Self {
        if let Some((word, bit)) = position(status) {
            if let Some((_, [word, ..])) = self.words.split_at_mut_checked(word) {
                *word |= bit;
            }
        }
        self
    }

    pub(super) fn contains(&self, status: u16) -> bool {
        let word = |(word, bit)| Some(self.words.get::<usize>(word)? & bit != 0);
        position(status).and_then(word).unwrap_or(false)
    }
}

/// The index of the status's word, and its bit in that word.
const fn position(status: u16) -> Option<(usize, u32)> {
    if status < Statuses::MIN || status > Statuses::MAX {
        return None;
    }
    let number = status - Statuses::MIN;
    Some(((number / 32) as usize, 1 << (number % 32)))
}
