// SPDX-License-Identifier: Apache-2.0
//! Keeps strings aside until all rows have come.
//!
//! HDF5 puts strings of any length into heaps, in the order in which they are written; to be
//! written in row order, whatever the order in which batches come, they wait in a file without
//! a name, on the target's file system. Memory holds one entry a batch.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow_array::{Array, StringArray};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::ranges::RangeMap;

/// Rows whose offsets are read at once.
const ROWS_AT_ONCE: u64 = 4096;
const OFFSET_BYTES: u64 = 4;
/// Texts up to this size are read together.
const BYTES_AT_ONCE: u64 = 4 << 20;

/// Where the strings of a batch are: its rows' offsets, one more than rows, then the texts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    first_row: u64,
    rows: u64,
    offset: u64,
}

/// The strings of all text columns of a target.
#[derive(Debug)]
pub struct Spool {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    end: u64,
    columns: Vec<RangeMap<Block>>,
}

impl Spool {
    /// An empty spool for that many columns.
    ///
    /// # Errors
    /// `Io`, `Denied`.
    pub fn create(folder: &Path, columns: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|e| {
            Error::io("creating a file to keep strings in", &e).with("folder", folder.display())
        })?;
        let columns = (0..columns).map(|_| RangeMap::default()).collect();
        Ok(Self {
            file,
            state: Mutex::new(State { end: 0, columns }),
        })
    }

    /// Keeps the strings of the rows from `row` on.
    ///
    /// # Errors
    /// `Io`.
    pub fn add(&self, column: usize, row: u64, texts: &StringArray) -> Result<()> {
        let offsets = texts.value_offsets();
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Ok(());
        };
        let mut block = Vec::with_capacity(offsets.len() * 4);
        for offset in offsets {
            block.extend_from_slice(&(offset - first).to_le_bytes());
        }
        let values = texts.value_data();
        let values = values.get(first as usize..last as usize).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a string column's offsets are wrong")
        })?;
        let bytes = (block.len() + values.len()) as u64;
        let at = {
            let mut state = self.lock();
            let at = state.end;
            state.end += bytes;
            at
        };
        self.file
            .write_all_at(&block, at)
            .and_then(|()| self.file.write_all_at(values, at + block.len() as u64))
            .map_err(|e| Error::io("keeping strings aside", &e).with("bytes", bytes))?;
        let rows = texts.len() as u64;
        if let Some(map) = self.lock().columns.get_mut(column) {
            map.put(
                row..row + rows,
                Block {
                    first_row: row,
                    rows,
                    offset: at,
                },
            );
        }
        Ok(())
    }

    /// Bytes of everything that is kept.
    pub fn bytes(&self) -> u64 {
        self.lock().end
    }

    /// Hands every string of a column to `take`, in the order of rows.
    ///
    /// # Errors
    /// `Io`, and what `take` answers.
    pub fn replay(&self, column: usize, take: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let ranges: Vec<(Range<u64>, Block)> = match self.lock().columns.get(column) {
            Some(map) => map.iter().collect(),
            None => return Ok(()),
        };
        for (rows, block) in ranges {
            let mut start = rows.start;
            while start < rows.end {
                let end = rows.end.min(start + ROWS_AT_ONCE);
                self.replay_rows(&block, start..end, take)?;
                start = end;
            }
        }
        Ok(())
    }

    fn replay_rows(
        &self,
        block: &Block,
        rows: Range<u64>,
        take: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let damaged = || Error::new(ErrorKind::Internal, "strings that were kept aside changed");
        let skipped = rows.start - block.first_row;
        let offsets = self.read(
            block.offset + skipped * OFFSET_BYTES,
            (rows.end - rows.start + 1) * OFFSET_BYTES,
        )?;
        let offsets: Vec<u64> = offsets
            .chunks_exact(4)
            .map(|bytes| {
                u64::from(u32::from_le_bytes(
                    <[u8; 4]>::try_from(bytes).unwrap_or_default(),
                ))
            })
            .collect();
        let texts_at = block.offset + (block.rows + 1) * OFFSET_BYTES;
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Ok(());
        };
        let all = last.checked_sub(first).ok_or_else(damaged)?;
        let together = match all <= BYTES_AT_ONCE {
            true => Some(self.read(texts_at + first, all)?),
            false => None,
        };
        for pair in offsets.windows(2) {
            let &[start, end] = pair else { continue };
            let length = end.checked_sub(start).ok_or_else(damaged)?;
            let alone;
            let bytes = match &together {
                Some(bytes) => bytes
                    .get((start - first) as usize..(end - first) as usize)
                    .ok_or_else(damaged)?,
                None => {
                    alone = self.read(texts_at + start, length)?;
                    &alone
                }
            };
            take(std::str::from_utf8(bytes).map_err(|_| damaged())?)?;
        }
        Ok(())
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        // Both were written by `add`, so the length is ours.
        let mut buffer = vec![0; bytes as usize];
        self.file
            .read_exact_at(&mut buffer, offset)
            .map_err(|e| Error::io("reading strings that were kept aside", &e))?;
        Ok(buffer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(spool: &Spool, column: usize) -> Vec<String> {
        let mut texts = Vec::new();
        spool
            .replay(column, &mut |text| {
                texts.push(text.to_owned());
                Ok(())
            })
            .unwrap();
        texts
    }

    #[test]
    fn strings_come_back_in_the_order_of_rows() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::create(folder.path(), 2).unwrap();
        spool.add(0, 2, &StringArray::from(vec!["c", ""])).unwrap();
        spool.add(1, 0, &StringArray::from(vec!["other"])).unwrap();
        let all = StringArray::from(vec!["-", "a", "é", "-"]);
        spool.add(0, 0, &all.slice(1, 2)).unwrap();
        assert_eq!(replayed(&spool, 0), ["a", "é", "c", ""]);
        assert_eq!(replayed(&spool, 1), ["other"]);
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn rows_that_are_written_again_hold_the_newer_strings() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::create(folder.path(), 1).unwrap();
        let texts =
            |letter: &str, n| StringArray::from_iter_values((0..n).map(|i| format!("{letter}{i}")));
        spool.add(0, 0, &texts("a", 10_000)).unwrap();
        spool.add(0, 4000, &texts("b", 3)).unwrap();
        let back = replayed(&spool, 0);
        assert_eq!(back.len(), 10_000);
        assert_eq!(back[3999..4004], ["a3999", "b0", "b1", "b2", "a4003"]);
        assert_eq!(back[9999], "a9999");
    }
}
