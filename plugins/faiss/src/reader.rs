// SPDX-License-Identifier: Apache-2.0
//! Reads the rows of one split, batch by batch.
//!
//! Vectors that are in the file as they come out are read straight into the batch's buffer;
//! all others pass through a decoder in chunks of a fixed size. Buffers of batches that are gone
//! are used again, by whichever reader of the source asks next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array};
use arrow_array::{Int64Array, RecordBatch};
use arrow_buffer::{Buffer, MutableBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use milvusdm_plugin_api::{
    BatchReader, BufferPool, Error, ErrorKind, ReadRequest, Result, Services,
};

use crate::decoder::Decoder;
use crate::format::ReadAt;
use crate::ids::IdMaps;
use crate::rows::{Rows, Run};

/// Elements of a batch's vectors, at most (data model 5.2).
const MAX_ELEMENTS: u64 = i32::MAX as u64;

/// Buffers that the readers of a source share.
#[derive(Debug, Default)]
pub struct Pools {
    vectors: Mutex<BufferPool>,
    ids: Mutex<BufferPool>,
}

fn take(pool: &Mutex<BufferPool>, bytes: usize) -> MutableBuffer {
    pool.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(bytes)
}

fn give(pool: &Mutex<BufferPool>, buffer: MutableBuffer) -> Buffer {
    pool.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .give(buffer)
}

/// What the rows of a split are made into.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Columns: id, vector.
    pub schema: SchemaRef,
    /// Bytes of a row's code.
    pub code_bytes: u64,
    /// Bytes of a vector that comes out.
    pub vector_bytes: u64,
    /// Numbers of a vector; 1 for bits, which are one element of their column.
    pub elements: u64,
    /// Rows of the split, as the source's structure counts them.
    pub found: u64,
}

/// A cursor over the rows of a split.
pub struct SplitReader {
    /// Named in errors.
    pub name: String,
    /// What rows are made into.
    pub shape: Shape,
    /// Where they come from.
    pub rows: Box<dyn Rows>,
    /// Turns codes into vectors, if they are not what comes out.
    pub decoder: Option<Decoder>,
    /// The id maps that ids go through.
    pub ids: IdMaps,
    /// The files that must stay as they are.
    pub files: Vec<Arc<dyn ReadAt>>,
    /// Buffers to take.
    pub pools: Arc<Pools>,
    /// The host.
    pub services: Services,
    /// What the engine asked for.
    pub request: ReadRequest,
    /// Rows given or passed over so far.
    pub given: u64,
    /// Scratch.
    pub scratch: Scratch,
}

/// Memory that is kept from one batch to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    codes: Vec<u8>,
    runs: Vec<Run>,
}

impl fmt::Debug for SplitReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitReader")
            .field("name", &self.name)
            .field("given", &self.given)
            .finish()
    }
}

impl BatchReader for SplitReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.services.check_cancelled()?;
        let batch = self.batch();
        batch.map_err(|e| match e.context_value("file") {
            Some(_) => e,
            None => e.with("file", &self.name),
        })
    }
}

impl SplitReader {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let left = self.shape.found.saturating_sub(self.given);
        if left == 0 {
            self.check_end()?;
            return Ok(None);
        }
        let row_bytes = self.shape.vector_bytes.saturating_add(8);
        let most = (MAX_ELEMENTS / self.shape.elements.max(1)).max(1);
        let wanted = self.request.rows_per_batch(row_bytes).min(left).min(most) as usize;
        let mut vectors = take(
            &self.pools.vectors,
            wanted * self.shape.vector_bytes as usize,
        );
        let mut ids = take(&self.pools.ids, wanted * 8);
        let read = self.fill(vectors.as_slice_mut(), ids.typed_data_mut())?;
        if read < wanted {
            return Err(self.miscounted(self.given + read as u64));
        }
        self.ids.apply(ids.typed_data_mut())?;
        for file in &self.files {
            file.check_unchanged()?;
        }
        self.given += read as u64;
        let (vectors, ids) = (
            give(&self.pools.vectors, vectors),
            give(&self.pools.ids, ids),
        );
        self.assemble(vectors, ids, read).map(Some)
    }

    /// The rows' own structure must end where the count does.
    fn check_end(&mut self) -> Result<()> {
        self.scratch.codes.resize(self.shape.code_bytes as usize, 0);
        let mut runs = Vec::new();
        match self
            .rows
            .read(&mut self.scratch.codes, &mut [0], &mut runs)?
        {
            0 => Ok(()),
            _ => Err(self.miscounted(self.given + 1)),
        }
    }

    fn miscounted(&self, found: u64) -> Error {
        Error::new(
            ErrorKind::Format,
            format!(
                "found {found} rows in a part of the file, expected {}",
                self.shape.found
            ),
        )
        .help("the file changed while it was read; let its writer finish, then run the task again")
    }

    /// Fills the buffers with vectors and the ids of the lists; gives the number of rows.
    fn fill(&mut self, vectors: &mut [u8], ids: &mut [i64]) -> Result<usize> {
        let Self {
            rows,
            scratch,
            decoder,
            shape,
            services,
            ..
        } = self;
        let Some(decoder) = decoder else {
            scratch.runs.clear();
            return rows.read(vectors, ids, &mut scratch.runs);
        };
        let chunk = decoder.chunk_rows(shape.code_bytes);
        let vector_bytes = shape.vector_bytes.max(1) as usize;
        let mut done = 0;
        let chunks = vectors
            .chunks_mut(chunk * vector_bytes)
            .zip(ids.chunks_mut(chunk));
        for (vectors, ids) in chunks {
            services.check_cancelled()?;
            scratch
                .codes
                .resize(ids.len() * shape.code_bytes as usize, 0);
            scratch.runs.clear();
            let read = rows.read(&mut scratch.codes, ids, &mut scratch.runs)?;
            let first = ids.len();
            let ids = ids.split_at_mut(read.min(first)).0;
            let codes = scratch
                .codes
                .get(..read * shape.code_bytes as usize)
                .unwrap_or_default();
            decoder.decode(codes, ids, &scratch.runs, vectors)?;
            done += read;
            if read < first {
                break;
            }
        }
        Ok(done)
    }

    fn assemble(&self, vectors: Buffer, ids: Buffer, rows: usize) -> Result<RecordBatch> {
        let internal =
            |e: ArrowError| Error::new(ErrorKind::Internal, "can't make a batch").caused_by(e);
        let ids = Int64Array::new(ScalarBuffer::new(ids, 0, rows), None);
        let kind = self
            .shape
            .schema
            .fields()
            .get(1)
            .map(|field| field.data_type().clone());
        let vectors: ArrayRef = match kind {
            Some(DataType::FixedSizeList(item, dim)) => {
                let elements = rows * self.shape.elements as usize;
                let floats = Float32Array::new(ScalarBuffer::new(vectors, 0, elements), None);
                let list = FixedSizeListArray::try_new(item, dim, Arc::new(floats), None);
                Arc::new(list.map_err(internal)?)
            }
            Some(DataType::FixedSizeBinary(width)) => {
                Arc::new(FixedSizeBinaryArray::try_new(width, vectors, None).map_err(internal)?)
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("the second column is {other:?}, expected vectors"),
                ));
            }
        };
        RecordBatch::try_new(self.shape.schema.clone(), vec![Arc::new(ids), vectors])
            .map_err(internal)
    }
}
