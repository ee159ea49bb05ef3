// SPDX-License-Identifier: Apache-2.0
//! A partition: segments that reads see, and a buffer that they don't see before a flush.

use std::collections::HashSet;

use super::segment::Segment;
use crate::clock::IdClock;
use crate::rows::Rows;

pub(super) struct Partition {
    pub tag: String,
    /// Made with blanks around its tag: the running server's WAL loses all rows sent to it.
    pub made_with_blanks: bool,
    pub unflushed: Option<Rows>,
    /// By age.
    pub segments: Vec<Segment>,
}

impl Partition {
    pub(super) fn new(tag: &str) -> Partition {
        Partition {
            tag: tag.trim().to_owned(),
            made_with_blanks: tag.trim() != tag,
            unflushed: None,
            segments: Vec::new(),
        }
    }

    pub(super) fn row_count(&self) -> u64 {
        self.segments.iter().map(Segment::row_count).sum()
    }

    pub(super) fn live_rows(&self, width: usize) -> Rows {
        let is_binary = matches!(
            self.segments.first().map(|s| &s.rows.vectors),
            Some(crate::rows::Vectors::Binary(_))
        );
        let mut rows = Rows::empty(is_binary);
        for segment in &self.segments {
            rows.append(segment.live_rows(width));
        }
        rows
    }

    pub(super) fn insert(&mut self, rows: Rows) {
        match &mut self.unflushed {
            Some(buffer) => buffer.append(rows),
            None => self.unflushed = Some(rows),
        }
    }

    /// Deletes from the buffer. As the server does it, one id alone takes only its first row away,
    /// several ids take all theirs.
    pub(super) fn delete_unflushed(&mut self, ids: &[i64], width: usize) {
        let Some(buffer) = &mut self.unflushed else {
            return;
        };
        let every = 0..buffer.ids.len() as u32;
        let kept: Vec<u32> = if let [id] = ids {
            let first = buffer.ids.iter().position(|own| own == id);
            every.filter(|row| Some(*row as usize) != first).collect()
        } else {
            let gone: HashSet<&i64> = ids.iter().collect();
            let rows = every.zip(&buffer.ids);
            let rows = rows.filter(|(_, id)| !gone.contains(id));
            rows.map(|(row, _)| row).collect()
        };
        if kept.len() < buffer.ids.len() {
            *buffer = buffer.select(&kept, width);
        }
    }

    /// Makes a segment of the buffer, also of one that deletes have emptied.
    pub(super) fn flush(&mut self, clock: &mut IdClock, engine: i32) {
        if let Some(rows) = self.unflushed.take() {
            self.segments.push(Segment::new(clock.name(), engine, rows));
        }
    }

    /// Joins all segments into a new one without the deleted rows.
    pub(super) fn merge(&mut self, clock: &mut IdClock, engine: i32, width: usize) {
        if self.segments.len() > 1 {
            let rows = self.live_rows(width);
            self.segments = vec![Segment::new(clock.name(), engine, rows)];
        }
    }

    /// Rewrites segments with many deleted rows; those with none left are gone.
    pub(super) fn compact(&mut self, clock: &mut IdClock, width: usize) {
        let (worth, mut kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.segments)
            .into_iter()
            .partition(Segment::is_worth_compacting);
        for old in worth.iter().filter(|old| old.row_count() > 0) {
            let rows = old.live_rows(width);
            kept.push(Segment::new(clock.name(), old.engine, rows));
        }
        self.segments = kept;
    }
}
