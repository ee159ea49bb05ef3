// SPDX-License-Identifier: Apache-2.0
//! Keeps which rows were written, and with what: rows come in any order, some of them again.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges of rows, each with the value that it was last given.
#[derive(Debug)]
pub struct RangeMap<V> {
    /// By first row: the row after the last, and the value. Ranges do not overlap.
    ranges: BTreeMap<u64, (u64, V)>,
}

impl<V> Default for RangeMap<V> {
    fn default() -> Self {
        Self {
            ranges: BTreeMap::new(),
        }
    }
}

impl<V: Copy + PartialEq> RangeMap<V> {
    /// Gives rows a value, in place of any that they had.
    pub fn put(&mut self, rows: Range<u64>, value: V) {
        if rows.is_empty() {
            return;
        }
        self.clear(&rows);
        let (mut start, mut end) = (rows.start, rows.end);
        if let Some((before, (touches, of))) = self.ranges.range(..start).next_back()
            && (*touches, *of) == (start, value)
        {
            start = *before;
        }
        if let Some((after, of)) = self.ranges.get(&end).copied()
            && of == value
        {
            self.ranges.remove(&end);
            end = after;
        }
        self.ranges.insert(start, (end, value));
    }

    /// Takes rows out.
    fn clear(&mut self, rows: &Range<u64>) {
        if let Some((start, (end, value))) = self.ranges.range(..rows.start).next_back()
            && *end > rows.start
        {
            let (start, end, value) = (*start, *end, *value);
            self.ranges.insert(start, (rows.start, value));
            if end > rows.end {
                self.ranges.insert(rows.end, (end, value));
            }
        }
        while let Some((start, (end, value))) = self.ranges.range(rows.clone()).next() {
            let (start, end, value) = (*start, *end, *value);
            self.ranges.remove(&start);
            if end > rows.end {
                self.ranges.insert(rows.end, (end, value));
            }
        }
    }

    /// The first rows of `0..rows` that have no value.
    pub fn first_gap(&self, rows: u64) -> Option<Range<u64>> {
        let mut next = 0;
        for (start, (end, _)) in &self.ranges {
            if *start > next {
                return Some(next..(*start).min(rows));
            }
            next = *end;
        }
        (next < rows).then_some(next..rows)
    }

    /// Ranges and their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, V)> {
        self.ranges
            .iter()
            .map(|(start, (end, value))| (*start..*end, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_of_one_value_become_one_range() {
        let mut map = RangeMap::default();
        for rows in [4..8, 0..4, 12..16, 8..12] {
            map.put(rows, ());
        }
        assert_eq!(map.iter().collect::<Vec<_>>(), [(0..16, ())]);
        assert_eq!(map.first_gap(16), None);
        assert_eq!(map.first_gap(17), Some(16..17));
    }

    #[test]
    fn a_gap_is_found_wherever_it_is() {
        let mut map = RangeMap::default();
        assert_eq!(map.first_gap(0), None);
        assert_eq!(map.first_gap(3), Some(0..3));
        map.put(1..2, ());
        assert_eq!(map.first_gap(3), Some(0..1));
        map.put(0..1, ());
        assert_eq!(map.first_gap(3), Some(2..3));
    }

    proptest! {
        #[test]
        fn it_says_what_a_plain_list_of_rows_says(
            puts in proptest::collection::vec((0u64..40, 0u64..12, 0u8..3), 0..30)
        ) {
            let mut map = RangeMap::default();
            let mut rows = [None; 64];
            for (start, length, value) in puts {
                map.put(start..start + length, value);
                rows[start as usize..(start + length) as usize].fill(Some(value));
            }
            let mut seen = [None; 64];
            for (range, value) in map.iter() {
                for row in range {
                    prop_assert!(seen[row as usize].is_none());
                    seen[row as usize] = Some(value);
                }
            }
            prop_assert_eq!(seen, rows);
            let gap = rows.iter().position(Option::is_none).map(|at| at as u64);
            prop_assert_eq!(map.first_gap(64).map(|g| g.start), gap);
        }
    }
}
