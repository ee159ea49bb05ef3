// SPDX-License-Identifier: Apache-2.0
//! Writes rows of one size past the library, each at its place, from any number of threads.
//!
//! The library makes the file and says where its datasets are; it never touches their bytes. The
//! room is taken from the file system at once, so that a full disk is noticed before the first
//! row, and the system is asked to write early, so that making the file durable at the end does
//! not start from nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use arrow_buffer::Buffer;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rustix::fs::Advice;

use crate::cells::Cells;
use crate::h5::{Element, NewFile};
use crate::partial::Partial;
use crate::plan::FilePlan;
use crate::ranges::RangeMap;
use crate::room;

/// Writes from this size on are sent to the disk at once.
const WRITE_BACK_BYTES: usize = 256 << 10;

/// The datasets of one file, in one piece each.
#[derive(Debug)]
pub struct DirectFile {
    file: NewFile,
    rows: u64,
    columns: Vec<Place>,
    /// Rows that were written before this process took the file up.
    written_before: u64,
    written: Mutex<RangeMap<()>>,
}

/// Where a column's rows are.
#[derive(Debug)]
struct Place {
    name: String,
    row_bytes: u64,
    /// Of the first row; `None` for strings, and without rows.
    offset: Option<u64>,
}

impl DirectFile {
    /// Makes the file for so many rows.
    ///
    /// # Errors
    /// `Io`, also where the disk is too full.
    pub fn create(partial: &Partial, plan: &FilePlan, rows: u64) -> Result<Self> {
        let attributes = plan.attributes()?;
        let file = partial.hand_over(|path| NewFile::create(path, &attributes))?;
        let mut columns = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            let dataset = &column.dataset;
            columns.push(Place {
                name: dataset.name.clone(),
                row_bytes: dataset.row_bytes(),
                offset: match dataset.element {
                    Element::Text => None,
                    Element::Number(_) | Element::Bool => file.reserve(dataset, rows)?,
                },
            });
        }
        file.flush()?;
        room::take_whole(partial.file()?)?;
        Ok(Self {
            file,
            rows,
            columns,
            written_before: 0,
            written: Mutex::default(),
        })
    }

    /// Takes up a file that was made for so many rows, of which some are there: it was flushed
    /// before the first of them, so that the library finds it whole.
    ///
    /// # Errors
    /// `Format` if it is not what `plan` says, `Io`.
    pub fn reopen(partial: &Partial, plan: &FilePlan, rows: u64, written: u64) -> Result<Self> {
        let file = partial.hand_over(NewFile::reopen)?;
        let columns = plan.columns.iter().map(|column| {
            let dataset = &column.dataset;
            Ok(Place {
                name: dataset.name.clone(),
                row_bytes: dataset.row_bytes(),
                offset: file.reserved(dataset, rows)?,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            file,
            rows,
            written_before: written,
            written: Mutex::default(),
        })
    }

    /// Writes rows at their place.
    ///
    /// # Errors
    /// `Io`; `Plugin` for rows beyond those announced.
    pub fn write(&self, file: &File, row: u64, rows: u64, cells: &[Cells]) -> Result<()> {
        let end = row.checked_add(rows).filter(|end| *end <= self.rows);
        let end = end.ok_or_else(|| {
            Error::new(
                ErrorKind::Plugin,
                format!(
                    "{rows} rows from row {row} on do not fit into a target of {}",
                    self.rows
                ),
            )
        })?;
        for (place, cells) in self.columns.iter().zip(cells) {
            if let (Cells::Fixed(buffer), Some(offset)) = (cells, place.offset) {
                place.write(file, offset, row, buffer)?;
            }
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.put(row..end, ());
        Ok(())
    }

    /// Gives the file back, with the rows that there is room for.
    ///
    /// # Errors
    /// `Plugin` if rows are missing, naming the first of them.
    pub fn complete(self) -> Result<(NewFile, u64)> {
        let written = self.written.into_inner();
        let written = written.unwrap_or_else(PoisonError::into_inner);
        let now = written.iter().map(|(rows, ())| rows.end - rows.start);
        let now = now.fold(0, u64::saturating_add);
        match written.first_gap(self.rows) {
            // Which rows were there before is the host's to know; how many is checked.
            _ if now.saturating_add(self.written_before) == self.rows => Ok((self.file, self.rows)),
            None => Ok((self.file, self.rows)),
            Some(gap) => Err(Error::new(
                ErrorKind::Plugin,
                format!(
                    "rows {} to {} of {} never came",
                    gap.start,
                    gap.end.saturating_sub(1),
                    self.rows
                ),
            )),
        }
    }
}

impl Place {
    fn write(&self, file: &File, offset: u64, row: u64, bytes: &Buffer) -> Result<()> {
        // The dataset's own size fits into the file, so places inside it do too.
        let at = offset + row * self.row_bytes;
        file.write_all_at(bytes, at).map_err(|e| {
            Error::io(
                format!("writing {} bytes of dataset `{}`", bytes.len(), self.name),
                &e,
            )
            .with("row", row)
            .with("offset", at)
        })?;
        if bytes.len() >= WRITE_BACK_BYTES {
            // Starts writing these pages and keeps them in the cache: they are not clean yet.
            // Only advice, so a refusal does not matter.
            let length = std::num::NonZeroU64::new(bytes.len() as u64);
            let _ = rustix::fs::fadvise(file, at, length, Advice::DontNeed);
        }
        Ok(())
    }
}
