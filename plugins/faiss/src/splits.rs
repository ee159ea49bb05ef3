// SPDX-License-Identifier: Apache-2.0
//! Cuts an index into splits: ranges of rows, stretches of inverted lists, pairs of a
//! deduplicated index.
//!
//! The counts come from headers and from the table of lists, not from reading rows.

use std::ops::Range;
use std::sync::Arc;

use milvusdm_plugin_api::{Result, Split};

use crate::format::ReadAt;
use crate::format::invlists::Lists;
use crate::layout::{Layout, Storage};
use crate::rows::duplicates::{self, PAIRS};
use crate::rows::lists::ListRange;
use crate::rows::walk::{ListWalk, Place};

/// Bytes of a split, about.
const SPLIT_BYTES: u64 = 64 << 20;

/// A split, and what it is.
#[derive(Debug, Clone)]
pub struct Planned {
    /// As the engine sees it.
    pub split: Split,
    /// What it is.
    pub part: Part,
}

/// What a split is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Rows by their numbers.
    Rows(Range<u64>),
    /// Rows in list order.
    Lists(ListRange),
    /// Pairs of ids of equal vectors.
    Pairs(Range<u64>),
}

/// Cuts an index into splits, whose readers hold `held_bytes` for decoding.
///
/// # Errors
/// `Format` where the table of lists is not what it was, `Io`, `Cancelled`.
pub fn plan(
    file: &Arc<dyn ReadAt>,
    layout: &Layout,
    fingerprint: &str,
    held_bytes: u64,
) -> Result<Vec<Planned>> {
    let row_bytes = layout.vector_bytes().saturating_add(8);
    let mut plan = Plan {
        row_bytes,
        split_rows: (SPLIT_BYTES / row_bytes.max(1)).max(1),
        fingerprint,
        held_bytes,
        splits: Vec::new(),
    };
    match &layout.storage {
        Storage::Flat { rows, .. } => {
            plan.ranges(*rows, plan.split_rows, "rows", Part::Rows);
        }
        Storage::Lists {
            lists, instances, ..
        } => {
            plan.lists(file, lists)?;
            if let Some(pairs) = instances {
                plan.held_bytes =
                    held_bytes.saturating_add(duplicates::held_bytes(pairs.count, lists.rows));
                plan.ranges(pairs.count, PAIRS, "duplicates", Part::Pairs);
            }
        }
    }
    Ok(plan.splits)
}

struct Plan<'a> {
    row_bytes: u64,
    split_rows: u64,
    fingerprint: &'a str,
    held_bytes: u64,
    splits: Vec<Planned>,
}

impl Plan<'_> {
    fn push(&mut self, id: String, rows: u64, part: Part) {
        self.splits.push(Planned {
            split: Split {
                id,
                found: Some(rows),
                live: Some(rows),
                bytes: rows.saturating_mul(self.row_bytes),
                held_bytes: self.held_bytes,
                fingerprint: self.fingerprint.to_owned(),
                ..Split::default()
            },
            part,
        });
    }

    fn ranges(&mut self, rows: u64, most: u64, name: &str, part: impl Fn(Range<u64>) -> Part) {
        let mut first = 0;
        while first < rows {
            let end = first.saturating_add(most).min(rows);
            self.push(
                format!("{name}:{first}-{end}"),
                end - first,
                part(first..end),
            );
            first = end;
        }
    }

    /// Whole lists where they fit; a list that is larger than a split is cut.
    fn lists(&mut self, file: &Arc<dyn ReadAt>, lists: &Lists) -> Result<()> {
        let mut walk = ListWalk::new(file.clone(), lists);
        let mut open: Option<Open> = None;
        loop {
            let place = walk.place();
            let Some(list) = walk.next()? else { break };
            let mut row = 0;
            while row < list.rows {
                let left = list.rows - row;
                let room = self.split_rows - open.as_ref().map_or(0, |open| open.rows);
                if left > room
                    && let Some(open) = open.take()
                {
                    self.close(&open, list.entry, row);
                    continue;
                }
                let count = left.min(room);
                let open = open.get_or_insert(Open {
                    start: place,
                    first_row: row,
                    rows: 0,
                });
                open.rows += count;
                row += count;
            }
        }
        if let Some(open) = open {
            self.close(&open, walk.place().entry, 0);
        }
        Ok(())
    }

    fn close(&mut self, open: &Open, end_entry: u64, end_rows: u64) {
        let range = ListRange {
            start: open.start,
            first_row: open.first_row,
            end_entry,
            end_rows,
        };
        let point = |entry: u64, row: u64| match row {
            0 => entry.to_string(),
            _ => format!("{entry}.{row}"),
        };
        let (from, to) = (
            point(open.start.entry, open.first_row),
            point(end_entry, end_rows),
        );
        self.push(format!("lists:{from}-{to}"), open.rows, Part::Lists(range));
    }
}

/// A split that is being filled.
struct Open {
    start: Place,
    first_row: u64,
    rows: u64,
}
