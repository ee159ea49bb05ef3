// SPDX-License-Identifier: Apache-2.0
//! Reads a range of rows, batch by batch.
//!
//! Rows are read in chunks that stay in the processor's cache, and copied from there without
//! their dimensions into the batch's buffer, which is used again when the batch is gone.

use std::ops::Range;

use milvusdm_plugin_api::arrow::array::{RecordBatch, make_array};
use milvusdm_plugin_api::arrow::buffer::MutableBuffer;
use milvusdm_plugin_api::arrow::data::ArrayData;
use milvusdm_plugin_api::arrow::schema::{ArrowError, DataType, SchemaRef};
use milvusdm_plugin_api::{
    BatchReader, BufferPool, Error, ErrorKind, ReadRequest, Result, Services,
};

use crate::file::OpenFile;
use crate::format::{Format, HEAD_BYTES, Layout};
use crate::options::Integers;

/// Bytes that are read at once, where a row is not larger.
const CHUNK_BYTES: u64 = 256 << 10;
/// Elements of a batch's vectors, and bytes of any of its buffers, at most.
const MAX_ELEMENTS: u64 = i32::MAX as u64;

/// What a file's elements become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carry {
    /// 32-bit floats, as they are.
    Floats,
    /// Bytes, as they are.
    Bytes,
    /// Integers as 32-bit floats of the same value.
    IntegersAsF32,
    /// Integers as 64-bit floats.
    IntegersAsF64,
    /// Integers as they are, in lists.
    Lists,
}

impl Carry {
    /// What is made of a format under this option.
    pub fn of(format: Format, integers: Integers) -> Self {
        match (format, integers) {
            (Format::Fvecs, _) => Self::Floats,
            (Format::Bvecs, _) => Self::Bytes,
            (Format::Ivecs, Integers::F32) => Self::IntegersAsF32,
            (Format::Ivecs, Integers::F64) => Self::IntegersAsF64,
            (Format::Ivecs, Integers::List) => Self::Lists,
        }
    }

    /// Bytes of an element that comes out.
    fn element_bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Floats | Self::IntegersAsF32 | Self::Lists => 4,
            Self::IntegersAsF64 => 8,
        }
    }
}

/// Bytes of a row that comes out, id and list's offset included.
pub(crate) fn row_bytes(carry: Carry, layout: &Layout, has_ids: bool) -> u64 {
    let id = if has_ids { 8 } else { 0 };
    let offset = if carry == Carry::Lists { 4 } else { 0 };
    u64::from(layout.dim) * carry.element_bytes() + id + offset
}

/// Bytes that a reader holds beside its batches.
pub(crate) fn held_bytes(layout: &Layout) -> u64 {
    CHUNK_BYTES.max(layout.stride())
}

/// A reader of a range of rows.
pub(crate) struct VecsReader {
    file: OpenFile,
    layout: Layout,
    carry: Carry,
    schema: SchemaRef,
    first_id: Option<i64>,
    rows: Range<u64>,
    batch_rows: u64,
    services: Services,
    pool: BufferPool,
    chunk: Vec<u8>,
}

impl VecsReader {
    #[expect(clippy::too_many_arguments, reason = "called in one place")]
    pub fn new(
        file: OpenFile,
        layout: Layout,
        carry: Carry,
        schema: SchemaRef,
        first_id: Option<i64>,
        rows: Range<u64>,
        request: &ReadRequest,
        services: Services,
    ) -> Self {
        let row_bytes = row_bytes(carry, &layout, first_id.is_some());
        let mut request = *request;
        if carry == Carry::Lists {
            // Lists have an offset more than rows.
            request.max_batch_bytes = request.max_batch_bytes.saturating_sub(4);
        }
        let most = (MAX_ELEMENTS / (u64::from(layout.dim) * carry.element_bytes())).max(1);
        Self {
            file,
            layout,
            carry,
            schema,
            first_id,
            rows: rows.start.saturating_add(request.first_row).min(rows.end)..rows.end,
            batch_rows: request.rows_per_batch(row_bytes).min(most),
            services,
            pool: BufferPool::new(),
            chunk: Vec::new(),
        }
    }

    fn batch(&mut self, rows: Range<u64>) -> Result<RecordBatch> {
        let schema = self.schema.clone();
        let columns = schema.fields().iter().map(|field| {
            let data = match (field.data_type(), self.first_id) {
                (DataType::Int64, Some(first)) => self.ids(first, &rows)?,
                (data_type, _) => self.values(data_type, &rows)?,
            };
            Ok(make_array(data))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(schema.clone(), columns).map_err(broken)
    }

    fn ids(&mut self, first: i64, rows: &Range<u64>) -> Result<ArrayData> {
        let count = (rows.end - rows.start) as usize;
        let mut buffer = self.pool.take(count * 8);
        // The last row's id was checked when the file was opened.
        let first = first.saturating_add_unsigned(rows.start);
        for (i, id) in buffer.typed_data_mut::<i64>().iter_mut().enumerate() {
            *id = first.wrapping_add(i as i64);
        }
        self.flat(&DataType::Int64, count, buffer)
    }

    /// Vectors or lists: elements, and whatever says where a row's start.
    fn values(&mut self, data_type: &DataType, rows: &Range<u64>) -> Result<ArrayData> {
        let count = (rows.end - rows.start) as usize;
        let dim = self.layout.dim as usize;
        let row_bytes = dim * self.carry.element_bytes() as usize;
        let mut buffer = self.pool.take(count * row_bytes);
        self.fill(buffer.as_slice_mut(), rows.start, row_bytes)?;
        let builder = ArrayData::builder(data_type.clone()).len(count);
        let (item, builder) = match data_type {
            DataType::FixedSizeList(item, _) => (item, builder),
            DataType::List(item) => {
                let mut offsets = self.pool.take((count + 1) * 4);
                let numbers = offsets.typed_data_mut::<i32>().iter_mut();
                for (row, offset) in numbers.enumerate() {
                    // Elements of a batch are at most 2^31-1.
                    *offset = (row * dim) as i32;
                }
                (item, builder.add_buffer(self.pool.give(offsets)))
            }
            other => {
                let message = format!("a column of {other}, expected vectors or lists");
                return Err(Error::new(ErrorKind::Internal, message));
            }
        };
        let elements = self.flat(item.data_type(), count * dim, buffer)?;
        builder.add_child_data(elements).build().map_err(broken)
    }

    fn flat(&mut self, of: &DataType, len: usize, buffer: MutableBuffer) -> Result<ArrayData> {
        let data = ArrayData::builder(of.clone()).len(len);
        data.add_buffer(self.pool.give(buffer))
            .build()
            .map_err(broken)
    }

    /// Fills `out` with rows from `first` on.
    fn fill(&mut self, out: &mut [u8], mut first: u64, row_bytes: usize) -> Result<()> {
        let stride = self.layout.stride() as usize;
        let chunk_rows = (CHUNK_BYTES / self.layout.stride()).max(1) as usize;
        for out in out.chunks_mut(chunk_rows * row_bytes) {
            self.services.check_cancelled()?;
            let rows = out.len() / row_bytes;
            self.chunk.resize(rows * stride, 0);
            self.file
                .read_at(self.layout.offset(first), &mut self.chunk)?;
            self.unpack(&self.chunk, out, first, row_bytes)
                .map_err(|e| self.file.named(e))?;
            first += rows as u64;
        }
        Ok(())
    }

    fn unpack(&self, chunk: &[u8], out: &mut [u8], first: u64, row_bytes: usize) -> Result<()> {
        let head = self.layout.head();
        let rows = chunk.chunks_exact(self.layout.stride() as usize);
        for ((row, out), number) in rows.zip(out.chunks_exact_mut(row_bytes)).zip(first..) {
            let Some((found, elements)) = row.split_first_chunk() else {
                return Err(Error::new(ErrorKind::Internal, "a row without a dimension"));
            };
            if *found != head {
                return Err(self.layout.other_dim(number, *found));
            }
            match self.carry {
                Carry::Floats | Carry::Bytes | Carry::Lists => out.copy_from_slice(elements),
                Carry::IntegersAsF32 => self.convert_f32(elements, out, number)?,
                Carry::IntegersAsF64 => convert_f64(elements, out),
            }
        }
        Ok(())
    }

    fn convert_f32(&self, elements: &[u8], out: &mut [u8], row: u64) -> Result<()> {
        let pairs = integers(elements).zip(out.chunks_exact_mut(4));
        for (place, (integer, out)) in pairs.enumerate() {
            let float = integer as f32;
            if float as i64 != i64::from(integer) {
                let offset = self.layout.offset(row) + HEAD_BYTES + 4 * place as u64;
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the integer {integer} is none that a 32-bit float can hold"),
                )
                .with("row", row)
                .with("element", place)
                .with("offset", offset)
                .help("set the option `integers` to `f64` or `list`, which hold all of them"));
            }
            out.copy_from_slice(&float.to_le_bytes());
        }
        Ok(())
    }
}

fn integers(elements: &[u8]) -> impl Iterator<Item = i32> {
    let (numbers, _) = elements.as_chunks::<4>();
    numbers.iter().map(|bytes| i32::from_le_bytes(*bytes))
}

fn convert_f64(elements: &[u8], out: &mut [u8]) {
    for (integer, out) in integers(elements).zip(out.chunks_exact_mut(8)) {
        out.copy_from_slice(&f64::from(integer).to_le_bytes());
    }
}

fn broken(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "can't make a batch").caused_by(cause)
}

impl BatchReader for VecsReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.services.check_cancelled()?;
        let first = self.rows.start;
        let rows = first..first.saturating_add(self.batch_rows).min(self.rows.end);
        let next = rows.end;
        let batch = self.batch(rows)?;
        self.file.check_unchanged()?;
        self.rows.start = next;
        Ok(Some(batch))
    }
}
