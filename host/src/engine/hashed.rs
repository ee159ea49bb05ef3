// SPDX-License-Identifier: Apache-2.0
//! Who hashes the rows of a batch: its reader, which has them in its cache, but only for as long
//! as no writer waits for them; the writer, which had nothing else to do, hashes the rest.

use arrow_array::RecordBatch;
use milvusdm_plugin_api::Result;

use crate::hash::{Hasher, Sums};

/// Bytes of rows that are hashed between two looks at whether a writer waits.
const STRIDE_BYTES: u64 = 256 << 10;

/// The hashes of a batch's last rows.
#[derive(Debug)]
pub(super) struct Hashed {
    sums: Sums,
    /// Rows before them.
    left: usize,
}

impl Hashed {
    /// Hashes rows until none is left, or somebody waits for the batch; from the end on, because
    /// those that were read last are still in the processor's cache. `bytes` is the batch's size.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the hasher's schema.
    pub(super) fn until(
        hasher: &Hasher,
        (batch, bytes): (&RecordBatch, u64),
        is_wanted: impl Fn() -> bool,
    ) -> Result<Self> {
        let mut left = batch.num_rows();
        let row_bytes = (bytes / (left as u64).max(1)).max(1);
        let stride = (STRIDE_BYTES / row_bytes).max(1) as usize;
        let mut summing = hasher.begin(batch)?;
        while left > 0 && !is_wanted() {
            let first = left.saturating_sub(stride);
            summing.add(first..left);
            left = first;
        }
        let sums = summing.sums();
        Ok(Self { sums, left })
    }

    /// The hashes of all rows of the same batch.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub(super) fn complete(mut self, hasher: &Hasher, batch: &RecordBatch) -> Result<Sums> {
        if self.left > 0 {
            let mut summing = hasher.begin(batch)?;
            summing.add(0..self.left);
            self.sums += summing.sums();
        }
        Ok(self.sums)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn reader_and_writer_together_hash_every_row_once() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let numbers = Int64Array::from_iter_values(0..5000);
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(numbers)]).unwrap();
        let hasher = Hasher::new(&schema).unwrap();
        let whole = hasher.sums(&batch).unwrap();
        // As large as if a thousand rows were hashed between two looks.
        let bytes = STRIDE_BYTES * 5;
        // The writer waits at once, after a few looks, or never.
        for looks in [0, 1, 3, 100] {
            let left = Cell::new(looks);
            let is_wanted = || left.replace(left.get().max(1) - 1) == 0;
            let hashed = Hashed::until(&hasher, (&batch, bytes), is_wanted).unwrap();
            assert_eq!(hashed.left, 5000usize.saturating_sub(looks * 1000));
            assert_eq!(hashed.complete(&hasher, &batch).unwrap(), whole);
        }
    }
}
