// SPDX-License-Identifier: Apache-2.0
//! Which rows are deleted: one bit a row, so that neither repetitions nor order in
//! `deleted_docs` matter and memory follows the number of rows only.

/// A set of rows out of `0..rows`.
#[derive(Debug, Default, Clone)]
pub struct Deleted {
    rows: u64,
    /// Empty as long as nothing is deleted.
    words: Vec<u64>,
    count: u64,
}

impl Deleted {
    /// None of `rows` rows.
    pub fn none_of(rows: u64) -> Self {
        Self {
            rows,
            words: Vec::new(),
            count: 0,
        }
    }

    /// Rows in all, deleted or not.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are deleted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Deletes a row; gives whether it was there before. `row` is below `rows`.
    pub fn insert(&mut self, row: u64) -> bool {
        if self.words.is_empty() {
            self.words = vec![0; self.rows.div_ceil(64) as usize];
        }
        let bit = 1u64 << (row % 64);
        match self.words.get_mut((row / 64) as usize) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    /// Whether that row is deleted.
    pub fn contains(&self, row: u64) -> bool {
        let word = self.words.get((row / 64) as usize).copied().unwrap_or(0);
        word >> (row % 64) & 1 == 1
    }

    /// The first row from `from` on that is live, or `rows`.
    pub fn next_live(&self, from: u64) -> u64 {
        self.next(from, |word| !word)
    }

    /// The first row from `from` on that is deleted, or `rows`.
    pub fn next_deleted(&self, from: u64) -> u64 {
        match self.words.is_empty() {
            true => self.rows,
            false => self.next(from, |word| word),
        }
    }

    fn next(&self, from: u64, look: impl Fn(u64) -> u64) -> u64 {
        let mut at = from;
        while at < self.rows {
            let Some(word) = self.words.get((at / 64) as usize) else {
                return at;
            };
            let left = look(*word) >> (at % 64);
            if left != 0 {
                return (at + u64::from(left.trailing_zeros())).min(self.rows);
            }
            at = (at / 64 + 1) * 64;
        }
        self.rows
    }

    /// The row that comes after `passed` live rows; `rows` if there are no more.
    pub fn after_live(&self, passed: u64) -> u64 {
        if self.words.is_empty() {
            return passed.min(self.rows);
        }
        let mut left = passed;
        for (word, first) in self.words.iter().zip((0..).step_by(64)) {
            let live = u64::from(word.count_zeros());
            if left < live {
                let mut row = self.next_live(first);
                while left > 0 {
                    row = self.next_live(row + 1);
                    left -= 1;
                }
                return row;
            }
            left -= live;
        }
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_answers_as_a_list_of_bools_does(
            rows in 0u64..300,
            picks in prop::collection::vec(0u64..300, 0..200),
            from in 0u64..320,
        ) {
            let mut naive = vec![false; rows as usize];
            let mut set = Deleted::none_of(rows);
            for row in picks.into_iter().filter(|p| *p < rows) {
                let is_new = !std::mem::replace(&mut naive[row as usize], true);
                prop_assert_eq!(set.insert(row), is_new);
            }
            prop_assert_eq!(set.count(), naive.iter().filter(|d| **d).count() as u64);
            let next = |wanted: bool| {
                (from..rows).find(|r| naive[*r as usize] == wanted).unwrap_or(rows)
            };
            prop_assert_eq!(set.next_live(from), next(false));
            prop_assert_eq!(set.next_deleted(from), next(true));
            let live: Vec<u64> = (0..rows).filter(|r| !naive[*r as usize]).collect();
            let wanted = live.get(from as usize).copied().unwrap_or(rows);
            prop_assert_eq!(set.after_live(from), wanted);
        }
    }
}
