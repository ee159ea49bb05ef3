// SPDX-License-Identifier: Apache-2.0
//! Reads the live rows of one split, batch by batch: bytes go from the file straight into the
//! batch's buffer, where runs of live rows are moved together over the deleted ones.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use arrow_buffer::{Buffer, MutableBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use milvusdm_plugin_api::{
    BatchReader, BufferPool, Error, ErrorKind, ReadAccount, ReadRequest, Result, Services,
};

use super::deleted::Deleted;

const ID_BYTES: u64 = 8;
/// Elements of a batch's vectors, at most (data model 5.2).
const MAX_ELEMENTS: u64 = i32::MAX as u64;
/// Bytes that are read at once where rows are deleted among them: what is moved together
/// afterwards is still in the processor's cache.
const WINDOW: u64 = 256 << 10;

/// Rows by position, deleted ones included.
pub trait Rows: Send {
    /// Fills the buffers, which are of the same number of rows, with the rows from `first` on.
    ///
    /// # Errors
    /// `Format` or `Io`.
    fn fill(&mut self, first: u64, vectors: &mut [u8], ids: &mut [u8]) -> Result<()>;

    /// Asks whether the files are those that were opened.
    ///
    /// # Errors
    /// `Format` if not.
    fn check_unchanged(&self) -> Result<()>;

    /// All rows will be read, one after the other.
    fn expect_sequential(&self);
}

/// Buffers that the readers of a source share.
#[derive(Debug, Default)]
pub struct Pools {
    vectors: Mutex<BufferPool>,
    ids: Mutex<BufferPool>,
}

fn take(pool: &Mutex<BufferPool>, bytes: usize) -> MutableBuffer {
    let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
    pool.take(bytes)
}

fn give(pool: &Mutex<BufferPool>, buffer: MutableBuffer) -> Buffer {
    let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
    pool.give(buffer)
}

/// A cursor over the live rows of a split.
pub struct SplitReader {
    name: String,
    schema: SchemaRef,
    vector_bytes: u64,
    rows: Box<dyn Rows>,
    deleted: Deleted,
    account: ReadAccount,
    /// The next row, deleted or not.
    at: u64,
    /// Live rows that are still to come.
    left: u64,
    batch_rows: u64,
    pools: Arc<Pools>,
    services: Services,
}

/// What a reader is made of.
pub struct Parts {
    /// The split, for messages.
    pub name: String,
    /// Columns: id, vector.
    pub schema: SchemaRef,
    /// Bytes of a vector.
    pub vector_bytes: u64,
    /// The rows.
    pub rows: Box<dyn Rows>,
    /// Those that are not given out.
    pub deleted: Deleted,
    /// What is said of them.
    pub account: ReadAccount,
}

impl fmt::Debug for SplitReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitReader")
            .field("name", &self.name)
            .field("at", &self.at)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl SplitReader {
    /// Starts at the row that the request says.
    pub fn new(parts: Parts, request: &ReadRequest, pools: Arc<Pools>, services: Services) -> Self {
        let Parts {
            name,
            schema,
            vector_bytes,
            rows,
            deleted,
            account,
        } = parts;
        rows.expect_sequential();
        let live = deleted.rows() - deleted.count();
        let elements = match schema.fields().get(1).map(|f| f.data_type()) {
            Some(DataType::FixedSizeList(_, dim)) => u64::try_from(*dim).unwrap_or(1),
            _ => 1,
        };
        let most = (MAX_ELEMENTS / elements.max(1)).max(1);
        Self {
            name,
            schema,
            vector_bytes,
            rows,
            at: deleted.after_live(request.first_row),
            left: live.saturating_sub(request.first_row),
            deleted,
            account,
            batch_rows: request.rows_per_batch(vector_bytes + ID_BYTES).min(most),
            pools,
            services,
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let wanted = self.left.min(self.batch_rows);
        if wanted == 0 {
            return Ok(None);
        }
        let mut vectors = take(&self.pools.vectors, (wanted * self.vector_bytes) as usize);
        let mut ids = take(&self.pools.ids, (wanted * ID_BYTES) as usize);
        let mut filled = 0;
        while filled < wanted {
            filled += self.window(wanted, filled, &mut vectors, &mut ids)?;
        }
        self.rows.check_unchanged()?;
        self.left -= wanted;
        let vectors = give(&self.pools.vectors, vectors);
        let ids = give(&self.pools.ids, ids);
        self.assemble(vectors, ids, wanted as usize).map(Some)
    }

    /// Reads some rows behind the `filled` ones; gives the number of live ones among them.
    fn window(
        &mut self,
        wanted: u64,
        filled: u64,
        vectors: &mut [u8],
        ids: &mut [u8],
    ) -> Result<u64> {
        let first = self.deleted.next_live(self.at);
        let mut end = (first + (wanted - filled)).min(self.deleted.rows());
        if self.deleted.next_deleted(first) < end {
            end = end.min(first + (WINDOW / self.vector_bytes.max(1)).max(1));
        }
        let columns = [(vectors, self.vector_bytes), (ids, ID_BYTES)];
        let [vectors, ids] = columns.map(|(bytes, width)| {
            let (_, rest) = bytes.split_at_mut((filled * width) as usize);
            let (window, _) = rest.split_at_mut(((end - first) * width) as usize);
            window
        });
        self.rows.fill(first, vectors, ids)?;
        self.at = end;
        Ok(self.close_gaps(first, end, vectors, ids))
    }

    /// Moves the live rows of a window together; gives how many there are.
    fn close_gaps(&self, first: u64, end: u64, vectors: &mut [u8], ids: &mut [u8]) -> u64 {
        let mut kept = self.deleted.next_deleted(first).min(end) - first;
        let mut row = self.deleted.next_live(first + kept);
        while row < end {
            let run_end = self.deleted.next_deleted(row).min(end);
            for (bytes, width) in [(&mut *vectors, self.vector_bytes), (&mut *ids, ID_BYTES)] {
                let run = ((row - first) * width) as usize..((run_end - first) * width) as usize;
                bytes.copy_within(run, (kept * width) as usize);
            }
            kept += run_end - row;
            row = self.deleted.next_live(run_end);
        }
        kept
    }

    fn assemble(&self, vectors: Buffer, ids: Buffer, rows: usize) -> Result<RecordBatch> {
        let internal =
            |e: ArrowError| Error::new(ErrorKind::Internal, "can't make a batch").caused_by(e);
        let ids = Int64Array::new(ScalarBuffer::new(ids, 0, rows), None);
        let kind = self.schema.fields().get(1).map(|f| f.data_type().clone());
        let vectors: ArrayRef = match kind {
            Some(DataType::FixedSizeList(item, dim)) => {
                let elements = rows * usize::try_from(dim).unwrap_or(0);
                let floats = Float32Array::new(ScalarBuffer::new(vectors, 0, elements), None);
                let list = FixedSizeListArray::try_new(item, dim, Arc::new(floats), None);
                Arc::new(list.map_err(internal)?)
            }
            Some(DataType::FixedSizeBinary(width)) => {
                Arc::new(FixedSizeBinaryArray::try_new(width, vectors, None).map_err(internal)?)
            }
            other => {
                let message = format!("the second column is {other:?}, expected vectors");
                return Err(Error::new(ErrorKind::Internal, message));
            }
        };
        RecordBatch::try_new(self.schema.clone(), vec![Arc::new(ids), vectors]).map_err(internal)
    }
}

impl BatchReader for SplitReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.services.check_cancelled()?;
        self.batch().map_err(|e| e.with("segment", &self.name))
    }

    fn account(&self) -> ReadAccount {
        self.account.clone()
    }
}

/// A split that can't be read and is passed over.
#[derive(Debug)]
pub struct LostReader(pub ReadAccount);

impl BatchReader for LostReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    fn account(&self) -> ReadAccount {
        self.0.clone()
    }
}
