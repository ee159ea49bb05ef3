// SPDX-License-Identifier: Apache-2.0
//! Reads the rows of one split, batch by batch.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use milvusdm_plugin_api::arrow::array::{
    FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use milvusdm_plugin_api::arrow::buffer::ScalarBuffer;
use milvusdm_plugin_api::arrow::schema::{ArrowError, DataType, Field, SchemaRef};
use milvusdm_plugin_api::{BatchReader, BufferPool, Error, ErrorKind, Result, Services};

use crate::source::fingerprint;

/// A reader of a range of rows.
pub(crate) struct RawReader {
    file: File,
    path: PathBuf,
    /// That of the file as its rows were counted.
    fingerprint: String,
    dim: u32,
    schema: SchemaRef,
    rows: Range<u64>,
    batch_rows: u64,
    services: Services,
    /// Memory of batches that are gone, to be used again.
    pool: BufferPool,
}

impl RawReader {
    pub fn open(
        path: &Path,
        fingerprint: String,
        dim: u32,
        schema: SchemaRef,
        rows: Range<u64>,
        batch_rows: u64,
        services: Services,
    ) -> Result<Self> {
        let file = File::open(path)
            .map_err(|e| Error::io("can't open the file", &e).with("file", path.display()))?;
        // No column of a batch may have more elements than this.
        let most = i32::MAX as u64 / u64::from(dim);
        let reader = Self {
            file,
            path: path.to_owned(),
            fingerprint,
            dim,
            schema,
            rows,
            batch_rows: batch_rows.min(most),
            services,
            pool: BufferPool::new(),
        };
        reader.expect_unchanged()?;
        Ok(reader)
    }

    /// A file that changes while it is read would give rows that never stood in it side by side.
    fn expect_unchanged(&self) -> Result<()> {
        let metadata = self.file.metadata().map_err(|e| {
            Error::io("can't examine the file", &e).with("file", self.path.display())
        })?;
        if fingerprint(&metadata, self.dim) == self.fingerprint {
            return Ok(());
        }
        let message = "the file changed since it was opened";
        Err(Error::new(ErrorKind::Format, message)
            .with("file", self.path.display())
            .help("let its writer finish, then run the task again"))
    }

    /// The numbers of so many rows, from that row on.
    fn vectors(&mut self, first: u64, rows: usize) -> Result<FixedSizeListArray> {
        let numbers = rows * self.dim as usize;
        let offset = first * u64::from(self.dim) * 4;
        let mut buffer = self.pool.take(numbers * 4);
        self.file
            .read_exact_at(buffer.as_slice_mut(), offset)
            .map_err(|e| self.cant_read(&e, first, offset))?;
        let values = ScalarBuffer::new(self.pool.give(buffer), 0, numbers);
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let values = Arc::new(Float32Array::new(values, None));
        FixedSizeListArray::try_new(item, self.dim as i32, values, None).map_err(broken)
    }

    fn cant_read(&self, cause: &io::Error, row: u64, offset: u64) -> Error {
        let error = match cause.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::new(ErrorKind::Format, "the file was cut while it was read")
            }
            _ => Error::io("can't read the file", cause),
        };
        error
            .with("file", self.path.display())
            .with("row", row)
            .with("offset", offset)
    }
}

impl BatchReader for RawReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows.is_empty() {
            self.expect_unchanged()?;
            return Ok(None);
        }
        self.services.check_cancelled()?;
        let first = self.rows.start;
        let end = first.saturating_add(self.batch_rows).min(self.rows.end);
        let ids = Int64Array::from_iter_values((first..end).map(|row| row as i64));
        let vectors = self.vectors(first, (end - first) as usize)?;
        self.rows.start = end;
        RecordBatch::try_new(self.schema.clone(), vec![Arc::new(ids), Arc::new(vectors)])
            .map(Some)
            .map_err(broken)
    }
}

fn broken(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "can't make a batch").caused_by(cause)
}
