// SPDX-License-Identifier: Apache-2.0
//! Writes rows in order through the library, into datasets that grow by whole chunks.
//!
//! Rows wait until they fill a chunk, so that a chunk is packed once and the file is the same
//! however the rows were cut into batches.

use std::fs::File;

use arrow_buffer::MutableBuffer;
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::cells::Cells;
use crate::h5::{Chunking, Element, GrowingDataset, NewDataset, NewFile};
use crate::partial::Partial;
use crate::plan::{FilePlan, MAX_CHUNK_BYTES};
use crate::room::Room;

/// A file whose datasets grow.
#[derive(Debug)]
pub struct GrowingFile {
    // Datasets are closed before their file.
    columns: Vec<Option<GrowingColumn>>,
    file: NewFile,
    chunk_rows: u64,
    /// Rows that wait for their chunk to be full.
    waiting: u64,
    rows: u64,
    room: Room,
}

#[derive(Debug)]
struct GrowingColumn {
    dataset: GrowingDataset,
    row_bytes: u64,
    waiting: MutableBuffer,
}

impl GrowingFile {
    /// Makes the file.
    ///
    /// # Errors
    /// `Io`.
    pub fn create(partial: &Partial, plan: &FilePlan, chunking: Chunking) -> Result<Self> {
        let attributes = plan.attributes()?;
        let file = partial.hand_over(|path| NewFile::create(path, &attributes))?;
        // Not before: making the file cuts it to nothing, and what was kept with it.
        let mut room = Room::new(plan.columns.len());
        room.keep(partial.file()?, 0)?;
        let mut columns = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            columns.push(match column.dataset.element {
                Element::Text => None,
                Element::Number(_) | Element::Bool => Some(GrowingColumn {
                    dataset: file.grow(&column.dataset, chunking)?,
                    row_bytes: column.dataset.row_bytes(),
                    // Whole at once: growing would double it.
                    waiting: MutableBuffer::new(chunk_bytes(&column.dataset, chunking)),
                }),
            });
        }
        Ok(Self {
            columns,
            file,
            chunk_rows: chunking.rows.max(1),
            waiting: 0,
            rows: 0,
            room,
        })
    }

    /// Rows that were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows; `file` is the one that the library writes.
    ///
    /// # Errors
    /// `Io`.
    pub fn add(&mut self, file: &File, rows: u64, cells: &[Cells]) -> Result<()> {
        let mut done = 0;
        while done < rows {
            let end = rows.min(done + (self.chunk_rows - self.waiting));
            for (column, cells) in self.columns.iter_mut().zip(cells) {
                if let (Some(column), Cells::Fixed(buffer)) = (column, cells) {
                    column.take(buffer, done..end)?;
                }
            }
            self.waiting += end - done;
            done = end;
            if self.waiting == self.chunk_rows {
                self.write_waiting(file)?;
            }
        }
        self.rows += rows;
        Ok(())
    }

    fn write_waiting(&mut self, file: &File) -> Result<()> {
        let bytes = self.columns.iter().flatten().map(GrowingColumn::most_bytes);
        self.room.keep(file, bytes.fold(0, u64::saturating_add))?;
        for column in self.columns.iter_mut().flatten() {
            column.dataset.add(self.waiting, &column.waiting)?;
            column.waiting.clear();
        }
        self.waiting = 0;
        Ok(())
    }

    /// Hands whole chunks to the operating system.
    ///
    /// # Errors
    /// `Io`.
    pub fn flush(&mut self) -> Result<()> {
        self.room.forget();
        self.file.flush()
    }

    /// Writes the last chunk and gives the file back, with its rows.
    ///
    /// # Errors
    /// `Io`.
    pub fn complete(mut self, file: &File) -> Result<(NewFile, u64)> {
        if self.waiting > 0 {
            self.write_waiting(file)?;
        }
        Ok((self.file, self.rows))
    }
}

/// Bytes of a chunk; the plan has bounded them.
fn chunk_bytes(dataset: &NewDataset, chunking: Chunking) -> usize {
    let bytes = dataset.row_bytes().saturating_mul(chunking.rows);
    usize::try_from(bytes.min(MAX_CHUNK_BYTES)).unwrap_or(0)
}

impl GrowingColumn {
    /// What the waiting rows may take as a chunk: packing can make them larger by a little.
    fn most_bytes(&self) -> u64 {
        let bytes = self.waiting.len() as u64;
        bytes.saturating_add(bytes / 16).saturating_add(8 << 10)
    }

    fn take(&mut self, bytes: &[u8], rows: std::ops::Range<u64>) -> Result<()> {
        let at = |row: u64| (row * self.row_bytes) as usize;
        let bytes = bytes.get(at(rows.start)..at(rows.end)).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "a column has fewer bytes than its rows take",
            )
        })?;
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }
}
