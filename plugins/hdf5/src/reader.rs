// SPDX-License-Identifier: Apache-2.0
//! Reads the rows of one split, batch by batch.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use milvusdm_plugin_api::{BatchReader, Error, ErrorKind, ReadRequest, Result, Services};

use crate::column::{ColumnReader, Reading};
use crate::contents::Contents;
use crate::h5::H5File;

/// A cursor over the rows of a split.
#[derive(Debug)]
pub struct SplitReader {
    file: Arc<H5File>,
    schema: SchemaRef,
    services: Services,
    columns: Vec<ColumnReader>,
    rows: Range<u64>,
    /// Bytes of a row, strings aside.
    fixed_bytes: u64,
    chunk_rows: u64,
    request: ReadRequest,
}

impl SplitReader {
    /// Opens the columns of a file for these rows.
    ///
    /// # Errors
    /// `Internal` if file and schema have different columns.
    pub fn new(
        contents: &Contents,
        schema: SchemaRef,
        rows: Range<u64>,
        request: &ReadRequest,
        services: &Services,
    ) -> Result<Self> {
        let columns: Vec<ColumnReader> = contents
            .all()
            .map(|column| {
                let is_vectors = column.name == contents.vectors.name;
                ColumnReader::new(
                    column.clone(),
                    is_vectors.then(|| contents.vector_type.clone()),
                )
            })
            .collect();
        let names = columns.iter().map(|c| &c.column().name);
        if !names.eq(schema.fields().iter().map(|f| f.name())) {
            return Err(Error::new(ErrorKind::Internal, "columns and schema differ")
                .with("file", contents.file.path().display()));
        }
        let fixed = columns.iter().filter_map(|c| c.column().row_bytes());
        Ok(Self {
            file: Arc::clone(&contents.file),
            fixed_bytes: fixed.fold(0, u64::saturating_add),
            chunk_rows: contents.vectors.chunk_rows(),
            schema,
            services: services.clone(),
            columns,
            rows,
            request: *request,
        })
    }

    /// Rows of the next batch, strings not yet counted: whole chunks, where one fits.
    fn planned_end(&self) -> u64 {
        let wanted = self.request.rows_per_batch(self.fixed_bytes.max(1));
        let end = self.rows.start.saturating_add(wanted).min(self.rows.end);
        let aligned = end / self.chunk_rows * self.chunk_rows;
        if end < self.rows.end && aligned > self.rows.start {
            aligned
        } else {
            end
        }
    }

    /// Reads string columns first: their lengths decide how many rows fit.
    fn read_texts(&mut self, mut end: u64) -> Result<(Vec<Option<ArrayRef>>, u64)> {
        let start = self.rows.start;
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.columns.len()];
        let text_columns = self
            .columns
            .iter()
            .filter(|c| c.column().reading == Reading::Texts)
            .count() as u64;
        if text_columns == 0 {
            return Ok((arrays, end));
        }
        let share = (self.request.max_batch_bytes / 2 / text_columns).max(1);
        // Half the bytes are for strings, so the rest takes half as many rows.
        let rows = self
            .request
            .rows_per_batch(self.fixed_bytes.saturating_mul(2).max(1));
        end = end.min(start.saturating_add(rows));
        for (column, array) in self.columns.iter_mut().zip(&mut arrays) {
            if column.column().reading == Reading::Texts {
                let (read, _) = column.texts(start..end, share)?;
                end = start + read.len() as u64;
                *array = Some(read);
            }
        }
        let rows = (end - start) as usize;
        let cut = arrays
            .into_iter()
            .map(|a| a.map(|a| if a.len() > rows { a.slice(0, rows) } else { a }));
        Ok((cut.collect(), end))
    }
}

impl BatchReader for SplitReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.services.check_cancelled()?;
        if self.rows.start >= self.rows.end {
            return Ok(None);
        }
        let batch = self.read_batch();
        // Of a file that changed, neither rows nor errors say anything.
        self.file.check_unchanged()?;
        batch.map(Some)
    }
}

impl SplitReader {
    fn read_batch(&mut self) -> Result<RecordBatch> {
        let (texts, end) = self.read_texts(self.planned_end())?;
        let range = self.rows.start..end;
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (column, text) in self.columns.iter_mut().zip(texts) {
            arrays.push(match text {
                Some(array) => array,
                None => column
                    .read(range.clone())
                    .map_err(|e| match e.context_value("file") {
                        Some(_) => e,
                        None => e.with("file", self.file.path().display()),
                    })?,
            });
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| {
            Error::new(ErrorKind::Internal, "making a batch")
                .with("file", self.file.path().display())
                .with("row", range.start)
                .caused_by(e)
        })?;
        self.rows.start = end;
        Ok(batch)
    }
}
