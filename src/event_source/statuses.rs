//! A set of HTTP statuses, without memory of its own.

/// Which of the statuses from 100 to 999 are in the set: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Statuses {
    words: [u32; 29],
}

impl Statuses {
    pub(super) const MIN: u16 = 100;
    pub(super) const MAX: u16 = 999;
    pub(super) const NONE: Self = Self { words: [0; 29] };

    /// The set and `status`, if it is one.
    pub(super) const fn with(mut self, status: u16) -> Self {
        if let Some((word, bit)) = place(status) {
            if let Some((_, [word, ..])) = self.words.split_at_mut_checked(word) {
                *word |= bit;
            }
        }
        self
    }

    pub(super) fn contains(&self, status: u16) -> bool {
        let word = |(word, bit)| Some(self.words.get::<usize>(word)? & bit != 0);
        place(status).and_then(word).unwrap_or(false)
    }
}

/// The number of its word, and its bit there.
const fn place(status: u16) -> Option<(usize, u32)> {
    if status < Statuses::MIN || status > Statuses::MAX {
        return None;
    }
    let number = status - Statuses::MIN;
    Some(((number / 32) as usize, 1 << (number % 32)))
}
