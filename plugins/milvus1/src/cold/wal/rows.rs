// SPDX-License-Identifier: Apache-2.0
//! The rows of a partition that stand in the log, as if they were a segment.

use std::sync::Arc;

use milvusdm_plugin_api::Result;

use super::Log;
use super::record::Lsn;
use crate::cold::reader::Rows;

const ID_BYTES: u64 = 8;

/// An insert of the log: so many rows of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Chunk {
    /// Rows of the partition before it.
    pub first: u64,
    /// Rows.
    pub rows: u64,
    /// Which of the log's files.
    pub file: usize,
    /// Where the ids stand; the vectors follow them.
    pub ids_at: u64,
    /// When it was inserted.
    pub lsn: Lsn,
}

/// All inserts of a partition.
#[derive(Debug)]
pub struct WalRows {
    /// The log.
    pub log: Arc<Log>,
    /// The inserts, in order.
    pub chunks: Arc<Vec<Chunk>>,
    /// Bytes of a vector.
    pub vector_bytes: u64,
}

impl Rows for WalRows {
    fn fill(&mut self, first: u64, mut vectors: &mut [u8], mut ids: &mut [u8]) -> Result<()> {
        let mut row = first;
        let begin = self.chunks.partition_point(|c| c.first + c.rows <= first);
        for chunk in self.chunks.iter().skip(begin) {
            if ids.is_empty() {
                break;
            }
            let skipped = row - chunk.first;
            let rows = (chunk.rows - skipped).min(ids.len() as u64 / ID_BYTES);
            let (ids_now, ids_later) = ids.split_at_mut((rows * ID_BYTES) as usize);
            let (vectors_now, vectors_later) =
                vectors.split_at_mut((rows * self.vector_bytes) as usize);
            let ids_at = chunk.ids_at + skipped * ID_BYTES;
            let vectors_at = chunk.ids_at + chunk.rows * ID_BYTES + skipped * self.vector_bytes;
            self.log.read_at(chunk.file, ids_at, ids_now, "ids")?;
            self.log
                .read_at(chunk.file, vectors_at, vectors_now, "vectors")?;
            (ids, vectors) = (ids_later, vectors_later);
            row += rows;
        }
        Ok(())
    }

    fn check_unchanged(&self) -> Result<()> {
        self.log.check_unchanged()
    }

    fn expect_sequential(&self) {}
}
