// SPDX-License-Identifier: Apache-2.0
//! Walks over the table of inverted lists, whatever its layout, and tells where each list lies.

use std::sync::Arc;

use milvusdm_plugin_api::{FileStamp, Result};

use crate::format::ReadAt;
use crate::format::invlists::{ListTable, Lists, panorama_list_bytes};
use crate::format::window::Window;

/// Where a walk stands; what it needs to go on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Entry of the table.
    pub entry: u64,
    /// Where the next list's data begin.
    pub at: u64,
    /// Where the next list's ids begin, if they lie apart.
    pub ids_at: u64,
}

/// One list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// Entry of the table.
    pub entry: u64,
    /// Number of the list.
    pub number: u64,
    /// Vectors.
    pub rows: u64,
    /// Offset of the codes.
    pub codes_at: u64,
    /// Offset of the ids.
    pub ids_at: u64,
}

/// A walk over a table of lists.
#[derive(Debug)]
pub struct ListWalk {
    file: Arc<dyn ReadAt>,
    table: ListTable,
    code_bytes: u64,
    entries: u64,
    place: Place,
    /// Onto the table.
    window: Window,
    /// Onto counts between the data.
    counts: Window,
}

fn sum(a: u64, b: u64) -> Result<u64> {
    // The parser added the same numbers up without overflow.
    a.checked_add(b).ok_or_else(FileStamp::changed)
}

impl ListWalk {
    /// A walk from the first list on.
    pub fn new(file: Arc<dyn ReadAt>, lists: &Lists) -> Self {
        let (at, ids_at) = match &lists.table {
            ListTable::Full { data_at, .. }
            | ListTable::Sparse { data_at, .. }
            | ListTable::Panorama { data_at, .. }
            | ListTable::Blocks { data_at, .. }
            | ListTable::Buckets { data_at } => (*data_at, 0),
            ListTable::Counted {
                ids_at, codes_at, ..
            } => (*codes_at, *ids_at),
            ListTable::Absent | ListTable::OnDisk { .. } => (0, 0),
        };
        let place = Place {
            entry: 0,
            at,
            ids_at,
        };
        Self::from(file, lists, place)
    }

    /// A walk from a place that an earlier walk came through.
    pub fn from(file: Arc<dyn ReadAt>, lists: &Lists, place: Place) -> Self {
        let entries = match &lists.table {
            ListTable::Sparse { pairs, .. } => *pairs,
            ListTable::Absent => 0,
            _ => lists.nlist,
        };
        Self {
            file,
            table: lists.table.clone(),
            code_bytes: lists.code_bytes,
            entries,
            place,
            window: Window::default(),
            counts: Window::default(),
        }
    }

    /// Where the walk stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next list, empty ones included; `None` behind the last.
    ///
    /// # Errors
    /// `Format` where the table is not what it was, `Io`, `Cancelled`.
    pub fn next(&mut self) -> Result<Option<List>> {
        if self.place.entry >= self.entries {
            return Ok(None);
        }
        let entry = self.place.entry;
        let place = self.place;
        let code_bytes = self.code_bytes;
        let list = |number, rows, codes_at, ids_at| List {
            entry,
            number,
            rows,
            codes_at,
            ids_at,
        };
        let found = match self.table {
            ListTable::Absent => return Ok(None),
            ListTable::Full { sizes_at, .. } => {
                let [rows] = self.table_entry(sizes_at)?;
                let ids_at = sum(place.at, bytes(rows, code_bytes)?)?;
                self.place.at = sum(ids_at, bytes(rows, 8)?)?;
                list(entry, rows, place.at, ids_at)
            }
            ListTable::Sparse { pairs_at, .. } => {
                let [number, rows] = self.table_entry(pairs_at)?;
                let ids_at = sum(place.at, bytes(rows, code_bytes)?)?;
                self.place.at = sum(ids_at, bytes(rows, 8)?)?;
                list(number, rows, place.at, ids_at)
            }
            ListTable::Panorama {
                sizes_at,
                levels,
                batch,
                ..
            } => {
                let [rows] = self.table_entry(sizes_at)?;
                let padded = bytes(rows.div_ceil(batch.max(1)), batch)?;
                let ids_at = sum(place.at, bytes(padded, code_bytes)?)?;
                let whole = panorama_list_bytes(rows, code_bytes, levels, batch.max(1));
                self.place.at = sum(place.at, whole.ok_or_else(FileStamp::changed)?)?;
                list(entry, rows, place.at, ids_at)
            }
            ListTable::Blocks { .. } | ListTable::Buckets { .. } => {
                let rows = self.count(place.at, "the number of a list's ids")?;
                let ids_at = sum(place.at, 8)?;
                let codes_at = sum(ids_at, bytes(rows, 8)?)?;
                let codes = self.count(codes_at, "the size of a list's codes")?;
                let codes_at = sum(codes_at, 8)?;
                self.place.at = sum(codes_at, codes)?;
                list(entry, rows, codes_at, ids_at)
            }
            ListTable::OnDisk { entries_at, .. } => {
                let [rows, capacity, codes_at] = self.table_entry(entries_at)?;
                let ids_at = codes_at.wrapping_add(bytes(capacity, code_bytes)?);
                // An empty list's offset means nothing.
                if rows > 0 && ids_at < codes_at {
                    return Err(FileStamp::changed());
                }
                list(entry, rows, codes_at, ids_at)
            }
            ListTable::Counted { .. } => {
                let rows = self.count(place.ids_at, "the number of a list's ids")?;
                let ids_at = sum(place.ids_at, 8)?;
                self.place.ids_at = sum(ids_at, bytes(rows, 8)?)?;
                let codes_at = sum(place.at, 8)?;
                self.place.at = sum(codes_at, bytes(rows, code_bytes)?)?;
                list(entry, rows, codes_at, ids_at)
            }
        };
        self.place.entry += 1;
        Ok(Some(found))
    }

    /// The numbers of the next entry of the table at `table_at`.
    fn table_entry<const N: usize>(&mut self, table_at: u64) -> Result<[u64; N]> {
        let mut numbers = [0u64; N];
        let offset = sum(table_at, bytes(self.place.entry, 8 * N as u64)?)?;
        let out = bytemuck::cast_slice_mut(&mut numbers);
        self.window.read(
            self.file.as_ref(),
            offset,
            out,
            "the table of inverted lists",
        )?;
        Ok(numbers)
    }

    fn count(&mut self, offset: u64, what: &str) -> Result<u64> {
        let mut count = [0; 8];
        self.counts
            .read(self.file.as_ref(), offset, &mut count, what)?;
        Ok(u64::from_le_bytes(count))
    }
}

/// Ids of a list that are looked at in one go.
const IDS: usize = 4096;

/// Calls `each` with every list, row and id.
///
/// # Errors
/// As [`ListWalk::next`], and whatever `each` says.
pub fn for_each_id(
    file: &Arc<dyn ReadAt>,
    data: &dyn ReadAt,
    lists: &Lists,
    mut each: impl FnMut(&List, u64, i64) -> Result<()>,
) -> Result<()> {
    let mut walk = ListWalk::new(file.clone(), lists);
    let mut window = Window::default();
    let mut ids = vec![0i64; IDS];
    while let Some(list) = walk.next()? {
        let mut row = 0;
        while row < list.rows {
            let count = (list.rows - row).min(IDS as u64);
            let ids = ids.split_at_mut(count as usize).0;
            let at = list.ids_at.saturating_add(row.saturating_mul(8));
            window.read(
                data,
                at,
                bytemuck::cast_slice_mut(ids),
                "the ids of an inverted list",
            )?;
            for (row, id) in (row..).zip(ids) {
                each(&list, row, *id)?;
            }
            row += count;
        }
    }
    Ok(())
}

fn bytes(rows: u64, row_bytes: u64) -> Result<u64> {
    rows.checked_mul(row_bytes).ok_or_else(FileStamp::changed)
}
