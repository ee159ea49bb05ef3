// SPDX-License-Identifier: Apache-2.0
//! Rows that lie one after the other, with ids that are their numbers.

use std::ops::Range;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::{Rows, Run, front};
use crate::decode::Packing;
use crate::format::ReadAt;
use crate::format::window::Window;

/// Reads rows by their numbers.
#[derive(Debug)]
pub struct FlatRows {
    file: Arc<dyn ReadAt>,
    packing: Packing,
    at: u64,
    rows: Range<u64>,
    window: Window,
}

impl FlatRows {
    /// The rows `rows` of those that begin at `at`.
    pub fn new(file: Arc<dyn ReadAt>, packing: Packing, at: u64, rows: Range<u64>) -> Self {
        Self {
            file,
            packing,
            at,
            rows,
            window: Window::default(),
        }
    }

    /// Goes to a row.
    pub fn seek(&mut self, row: u64) {
        self.rows.start = row;
    }
}

impl Rows for FlatRows {
    fn read(&mut self, codes: &mut [u8], ids: &mut [i64], _: &mut Vec<Run>) -> Result<usize> {
        let left = self.rows.end.saturating_sub(self.rows.start);
        let count = left.min(ids.len() as u64);
        let codes = front(codes, count, self.packing.code_bytes());
        let first = self.rows.start;
        self.packing
            .read(self.file.as_ref(), &mut self.window, self.at, first, codes)
            .map_err(|e| e.with("row", first))?;
        for (id, row) in ids.iter_mut().zip(first..first + count) {
            *id = row as i64;
        }
        self.rows.start += count;
        Ok(count as usize)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let left = self.rows.end.saturating_sub(self.rows.start);
        if rows > left {
            return Err(too_many(rows, left));
        }
        self.rows.start += rows;
        Ok(())
    }
}

/// An error for more rows to pass over than there are.
pub fn too_many(rows: u64, left: u64) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("can't pass over {rows} rows of a split that has {left}"),
    )
    .help("the source is not what it was when the run began; start the task anew")
}
