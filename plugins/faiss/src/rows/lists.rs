// SPDX-License-Identifier: Apache-2.0
//! Rows of inverted lists, list after list: codes and ids lie apart within each.
//!
//! Long lists are read straight into their place; short ones through a window, so that a list of
//! ten rows does not cost two system calls.

use std::sync::Arc;

use milvusdm_plugin_api::{FileStamp, Result};

use super::flat::too_many;
use super::walk::{List, ListWalk, Place};
use super::{Rows, Run, front};
use crate::decode::Packing;
use crate::format::ReadAt;
use crate::format::invlists::{ListTable, Lists};
use crate::format::window::Window;

/// A stretch of rows in list order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRange {
    /// Where the walk begins.
    pub start: Place,
    /// Rows of the first list that come before the stretch.
    pub first_row: u64,
    /// Entry of the table in which the stretch ends.
    pub end_entry: u64,
    /// Rows of that entry's list that belong to it.
    pub end_rows: u64,
}

/// Reads a stretch of rows in list order.
#[derive(Debug)]
pub struct ListRows {
    /// Where codes and ids lie; another file than that of the table if lists are on disk.
    data: Arc<dyn ReadAt>,
    packing: Packing,
    walk: ListWalk,
    range: ListRange,
    /// The list being read, and which of its rows come next.
    list: Option<(List, u64)>,
    codes: Window,
    /// Used if ids lie apart from all codes.
    ids: Option<Window>,
}

impl ListRows {
    /// The rows of `range`.
    pub fn new(
        table: Arc<dyn ReadAt>,
        data: Arc<dyn ReadAt>,
        lists: &Lists,
        packing: Packing,
        range: ListRange,
    ) -> Self {
        let is_apart = matches!(lists.table, ListTable::Counted { .. });
        Self {
            data,
            packing,
            walk: ListWalk::from(table, lists, range.start),
            range,
            list: None,
            codes: Window::default(),
            ids: is_apart.then(Window::default),
        }
    }

    /// The list with rows to read, the first of them, and how many there are.
    fn current(&mut self) -> Result<Option<(List, u64, u64)>> {
        loop {
            if let Some((list, row)) = self.list {
                let is_last = list.entry >= self.range.end_entry;
                let end = if is_last {
                    self.range.end_rows
                } else {
                    list.rows
                };
                if end > list.rows {
                    return Err(FileStamp::changed());
                }
                if row < end {
                    return Ok(Some((list, row, end - row)));
                }
            }
            let entry = self.walk.place().entry;
            let is_behind = match entry.cmp(&self.range.end_entry) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => self.range.end_rows == 0,
                std::cmp::Ordering::Greater => true,
            };
            if is_behind {
                return Ok(None);
            }
            // The table can't end before the stretch does.
            let list = self.walk.next()?.ok_or_else(FileStamp::changed)?;
            let is_first = list.entry == self.range.start.entry;
            self.list = Some((list, if is_first { self.range.first_row } else { 0 }));
        }
    }

    fn advance(&mut self, rows: u64) {
        if let Some((_, row)) = &mut self.list {
            *row += rows;
        }
    }

    fn read_list(
        &mut self,
        list: &List,
        row: u64,
        codes: &mut [u8],
        ids: &mut [i64],
    ) -> Result<()> {
        let data = self.data.as_ref();
        self.packing
            .read(data, &mut self.codes, list.codes_at, row, codes)?;
        let ids_at = list.ids_at.saturating_add(row.saturating_mul(8));
        let window = self.ids.as_mut().unwrap_or(&mut self.codes);
        window.read(
            data,
            ids_at,
            bytemuck::cast_slice_mut(ids),
            "the ids of an inverted list",
        )
    }
}

impl Rows for ListRows {
    fn read(&mut self, codes: &mut [u8], ids: &mut [i64], runs: &mut Vec<Run>) -> Result<usize> {
        let code_bytes = self.packing.code_bytes();
        let (mut codes, mut ids, mut read) = (codes, ids, 0);
        while !ids.is_empty() {
            let Some((list, row, left)) = self.current()? else {
                break;
            };
            let count = left.min(ids.len() as u64);
            let bytes = front(codes, count, code_bytes).len();
            let (list_codes, rest) = codes.split_at_mut(bytes);
            let (list_ids, rest_ids) = ids.split_at_mut(count as usize);
            self.read_list(&list, row, list_codes, list_ids)
                .map_err(|e| e.with("list", list.number).with("row of the list", row))?;
            (codes, ids) = (rest, rest_ids);
            runs.push(Run {
                list: list.number,
                rows: count as usize,
            });
            self.advance(count);
            read += count as usize;
        }
        Ok(read)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let mut left = rows;
        while left > 0 {
            let Some((_, _, there)) = self.current()? else {
                return Err(too_many(rows, rows - left));
            };
            let count = there.min(left);
            self.advance(count);
            left -= count;
        }
        Ok(())
    }
}
