// SPDX-License-Identifier: Apache-2.0
//! Makes the rows of one split, batch by batch, in buffers that are used again.

use std::ops::Range;

use milvusdm_plugin_api::arrow::array::{ArrayRef, RecordBatch, make_array};
use milvusdm_plugin_api::arrow::buffer::MutableBuffer;
use milvusdm_plugin_api::arrow::data::ArrayData;
use milvusdm_plugin_api::arrow::schema::{ArrowError, DataType, SchemaRef};
use milvusdm_plugin_api::model::{Elem, VectorType};
use milvusdm_plugin_api::{BatchReader, BufferPool, Error, ErrorKind, Result, Services};

use crate::generate;

/// A reader of one split.
pub(crate) struct RandomReader {
    schema: SchemaRef,
    vector: VectorType,
    seed: u64,
    rows: Range<u64>,
    batch_rows: u64,
    services: Services,
    pool: BufferPool,
}

impl RandomReader {
    pub(crate) fn new(
        schema: SchemaRef,
        vector: VectorType,
        seed: u64,
        rows: Range<u64>,
        batch_rows: u64,
        services: Services,
    ) -> Self {
        Self {
            schema,
            vector,
            seed,
            rows,
            batch_rows,
            services,
            pool: BufferPool::new(),
        }
    }

    fn column(&mut self, data_type: &DataType, first: u64, rows: usize) -> Result<ArrayRef> {
        let data = match data_type {
            DataType::Int64 => {
                let mut ids = self.pool.take(rows * 8);
                for (id, row) in ids.typed_data_mut::<i64>().iter_mut().zip(first..) {
                    // Rows are fewer than 2^48.
                    *id = row as i64;
                }
                self.values(data_type, rows, ids)?
            }
            DataType::FixedSizeList(item, dim) => {
                let elements = rows * *dim as usize;
                let buffer = self.elements(first, elements);
                let child = self.values(item.data_type(), elements, buffer)?;
                ArrayData::builder(data_type.clone())
                    .len(rows)
                    .add_child_data(child)
                    .build()
                    .map_err(broken)?
            }
            _ => {
                let buffer = self.bits(first, rows);
                self.values(data_type, rows, buffer)?
            }
        };
        Ok(make_array(data))
    }

    fn values(
        &mut self,
        data_type: &DataType,
        len: usize,
        buffer: MutableBuffer,
    ) -> Result<ArrayData> {
        ArrayData::builder(data_type.clone())
            .len(len)
            .add_buffer(self.pool.give(buffer))
            .build()
            .map_err(broken)
    }

    /// The elements of dense vectors.
    fn elements(&mut self, first: u64, count: usize) -> MutableBuffer {
        let (elem, dim, seed) = (self.vector.elem, self.vector.dim as usize, self.seed);
        let mut buffer = self.pool.take(count * elem.bytes().unwrap_or(1));
        match elem {
            Elem::F32 => generate::f32s(buffer.typed_data_mut(), dim, seed, first),
            Elem::F64 => generate::f64s(buffer.typed_data_mut(), dim, seed, first),
            Elem::F16 => generate::f16s(buffer.typed_data_mut(), dim, seed, first),
            Elem::Bf16 => generate::bf16s(buffer.typed_data_mut(), dim, seed, first),
            _ => generate::bytes(buffer.as_slice_mut(), dim, seed, first),
        }
        buffer
    }

    /// Binary vectors, most significant bit first, pad bits zero.
    fn bits(&mut self, first: u64, rows: usize) -> MutableBuffer {
        let width = self.vector.dim.div_ceil(8) as usize;
        let mut buffer = self.pool.take(rows * width);
        generate::bytes(buffer.as_slice_mut(), width, self.seed, first);
        let used = self.vector.dim % 8;
        if used > 0 {
            let mask = !(0xFFu8 >> used);
            for row in buffer.as_slice_mut().chunks_exact_mut(width) {
                if let Some(last) = row.last_mut() {
                    *last &= mask;
                }
            }
        }
        buffer
    }
}

fn broken(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "make a batch of random rows").caused_by(cause)
}

impl BatchReader for RandomReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.services.check_cancelled()?;
        let first = self.rows.start;
        let rows = self.batch_rows.min(self.rows.end - first);
        let schema = self.schema.clone();
        let columns = schema
            .fields()
            .iter()
            .map(|f| self.column(f.data_type(), first, rows as usize))
            .collect::<Result<Vec<_>>>()?;
        self.rows.start += rows;
        RecordBatch::try_new(schema, columns)
            .map(Some)
            .map_err(broken)
    }
}
