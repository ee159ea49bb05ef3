// SPDX-License-Identifier: Apache-2.0
//! Rows that were flushed together. They never change; deleted ones are marked.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::rows::Rows;

pub(super) struct Segment {
    /// Greater than those of all older segments.
    pub name: i64,
    /// The index that its metadata names; that of the collection when it was made.
    pub engine: i32,
    pub rows: Rows,
    /// Offsets of deleted rows.
    pub dead: BTreeSet<u32>,
    /// Offsets in the order of their ids, made when first needed: ids come in any order.
    order: OnceLock<Vec<u32>>,
}

impl Segment {
    pub(super) fn new(name: i64, engine: i32, rows: Rows) -> Segment {
        Segment {
            name,
            engine,
            rows,
            dead: BTreeSet::new(),
            order: OnceLock::new(),
        }
    }

    pub(super) fn row_count(&self) -> u64 {
        self.rows.count() - self.dead.len() as u64
    }

    /// Offsets of an id's rows, deleted ones included, in the order of rows.
    pub(super) fn offsets(&self, id: i64) -> &[u32] {
        let ids = &self.rows.ids;
        let order = self.order.get_or_init(|| {
            let mut order: Vec<u32> = (0..ids.len() as u32).collect();
            order.sort_by_key(|offset| ids.get(*offset as usize).copied());
            order
        });
        let id_at = |offset: &u32| ids.get(*offset as usize).copied().unwrap_or(i64::MAX);
        let start = order.partition_point(|offset| id_at(offset) < id);
        let found = order.get(start..).unwrap_or_default();
        let count = found.partition_point(|offset| id_at(offset) == id);
        found.get(..count).unwrap_or_default()
    }

    /// The first row of an id that is not deleted.
    pub(super) fn first_live(&self, id: i64) -> Option<usize> {
        let live = |offset: &&u32| !self.dead.contains(*offset);
        self.offsets(id).iter().find(live).map(|o| *o as usize)
    }

    pub(super) fn delete(&mut self, ids: &[i64]) {
        for id in ids {
            let offsets = self.offsets(*id).to_vec();
            self.dead.extend(offsets);
        }
    }

    /// Offsets of rows that are not deleted.
    pub(super) fn live(&self) -> Vec<u32> {
        let all = 0..self.rows.ids.len() as u32;
        all.filter(|offset| !self.dead.contains(offset)).collect()
    }

    /// A copy of the rows that are not deleted.
    pub(super) fn live_rows(&self, width: usize) -> Rows {
        if self.dead.is_empty() {
            return self.rows.clone();
        }
        self.rows.select(&self.live(), width)
    }

    /// Whether so many are deleted that a compaction rewrites it: a tenth.
    pub(super) fn is_worth_compacting(&self) -> bool {
        !self.dead.is_empty() && self.dead.len() as u64 * 10 >= self.rows.count()
    }
}
