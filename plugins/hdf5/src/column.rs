// SPDX-License-Identifier: Apache-2.0
//! Reads rows of one column into Arrow arrays.
//!
//! Rows of a compressed chunk that are asked for in parts are decoded once and kept until the
//! cursor leaves the chunk.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, PrimitiveArray, make_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, ScalarBuffer};
use arrow_schema::DataType;
use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType};
use milvusdm_plugin_api::{BufferPool, Error, ErrorKind, Result};

use crate::convert;
use crate::h5::{Heaps, Number, Storage, StoredDataset};

/// Bytes of strings that are read at once, as far as the longest so far tells.
const STEP_BYTES: u64 = 1 << 20;
/// Strings that are read first.
const FIRST_STEP_ROWS: u64 = 64;
/// Most strings that are read at once.
const MAX_STEP_ROWS: u64 = 1024;

/// How a dataset's elements become a column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As these numbers, which hold every stored value.
    Numbers(Number),
    /// As bools.
    Bools,
    /// As strings.
    Texts,
    /// As bits, 8 a byte.
    Packed {
        /// Bits of a vector.
        dim: u32,
        /// Which bit of a byte comes first.
        order: BitOrder,
    },
    /// Bools, packed 8 a byte, most significant first.
    PackBools,
    /// 64-bit integers as 64-bit floats, where that is exact.
    WideInts(Number),
}

impl Reading {
    /// The Arrow type of a scalar column; `None` for vectors.
    pub fn data_type(self) -> Option<DataType> {
        Some(match self {
            Self::Numbers(number) => match number {
                Number::I8 => DataType::Int8,
                Number::I16 => DataType::Int16,
                Number::I32 => DataType::Int32,
                Number::I64 => DataType::Int64,
                Number::U8 => DataType::UInt8,
                Number::U16 => DataType::UInt16,
                Number::U32 => DataType::UInt32,
                Number::U64 => DataType::UInt64,
                Number::F16 => DataType::Float16,
                Number::F32 => DataType::Float32,
                Number::F64 => DataType::Float64,
            },
            Self::Bools => DataType::Boolean,
            Self::Texts => DataType::Utf8,
            Self::Packed { .. } | Self::PackBools | Self::WideInts(_) => return None,
        })
    }
}

/// A column of a file.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in batches.
    pub name: String,
    /// Where it is.
    pub stored: StoredDataset,
    /// How it is read.
    pub reading: Reading,
}

impl Column {
    /// Names a dataset.
    pub fn new(name: &str, stored: StoredDataset, reading: Reading) -> Self {
        Self {
            name: name.to_owned(),
            stored,
            reading,
        }
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.stored.rows()
    }

    /// Bytes of a row in a batch; `None` for strings.
    pub fn row_bytes(&self) -> Option<u64> {
        let width = self.stored.width();
        match self.reading {
            Reading::Numbers(number) | Reading::WideInts(number) => {
                Some(width * number.bytes() as u64)
            }
            Reading::Packed { .. } => Some(width),
            Reading::PackBools => Some(width.div_ceil(8)),
            Reading::Bools => Some(1),
            Reading::Texts => None,
        }
    }

    /// Bytes that decoding a row of compressed chunks takes at most: the chunks as they are, what
    /// they are decoded into (which the filter enlarges by doubling), and the rows themselves.
    pub fn decoding_bytes(&self) -> u64 {
        const COPIES: u64 = 4;
        match self.stored.storage() {
            Storage::Chunked {
                rows,
                is_filtered: true,
            } => {
                // Of a string the chunk holds a reference.
                let row_bytes = self.row_bytes().unwrap_or(16);
                let rows = rows.min(self.rows()).saturating_mul(row_bytes);
                // A chunk may hold more rows than there are.
                rows.max(self.stored.band_bytes()).saturating_mul(COPIES)
            }
            _ => 0,
        }
    }

    /// Rows that should be read together: those of a compressed chunk.
    pub fn chunk_rows(&self) -> u64 {
        match self.stored.storage() {
            Storage::Chunked { rows, .. } => rows.max(1),
            Storage::Contiguous { .. } | Storage::Inline => 1,
        }
    }
}

/// A cursor over one column.
#[derive(Debug)]
pub struct ColumnReader {
    column: Column,
    vector: Option<VectorType>,
    pool: BufferPool,
    heaps: Heaps,
    /// Rows of the chunks that were decoded last, as numbers.
    band: Option<(Range<u64>, Buffer)>,
}

impl ColumnReader {
    /// A reader of scalars (or ids), or of vectors of that type.
    pub fn new(column: Column, vector: Option<VectorType>) -> Self {
        Self {
            column,
            vector,
            pool: BufferPool::new(),
            heaps: Heaps::default(),
            band: None,
        }
    }

    /// The column.
    pub fn column(&self) -> &Column {
        &self.column
    }

    /// Reads rows into an array of the column's type.
    ///
    /// # Errors
    /// `Format`, `Io`, naming file, dataset and row.
    pub fn read(&mut self, rows: Range<u64>) -> Result<ArrayRef> {
        let count = usize::try_from(rows.end.saturating_sub(rows.start)).unwrap_or(usize::MAX);
        match self.column.reading {
            Reading::Numbers(number) => {
                let buffer = self.numbers(number, rows)?;
                self.dense(number, buffer)
            }
            Reading::WideInts(number) => {
                let buffer = self.numbers(number, rows.clone())?;
                let floats = convert::exact_floats(number, &buffer);
                let floats = floats.map_err(|at| self.inexact(rows.start, at))?;
                self.dense(Number::F64, floats)
            }
            Reading::Packed { dim, order } => {
                let buffer = self.numbers(Number::U8, rows.clone())?;
                let width = self.column.stored.width();
                if let Some(at) = convert::bits_beyond(&buffer, width as usize, dim, order) {
                    return Err(self.padded(rows.start + at as u64, dim));
                }
                self.bits(buffer, width)
            }
            Reading::PackBools => {
                let bytes = self.column.stored.read_bools(rows)?;
                let width = self.column.stored.width();
                self.bits(
                    convert::pack(&bytes, width as usize, count),
                    width.div_ceil(8),
                )
            }
            Reading::Bools => {
                let bytes = self.column.stored.read_bools(rows)?;
                let values = BooleanBuffer::collect_bool(bytes.len(), |i| bytes.get(i) == Some(&1));
                Ok(Arc::new(BooleanArray::new(values, None)))
            }
            Reading::Texts => {
                let (array, _) = self.texts(rows, u64::MAX)?;
                Ok(array)
            }
        }
    }

    /// Reads strings until `rows` are read or `max_bytes` are reached; one row at the least.
    /// Gives the bytes read as well.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn texts(&mut self, rows: Range<u64>, max_bytes: u64) -> Result<(ArrayRef, u64)> {
        let max_bytes = max_bytes.min(i32::MAX as u64);
        let mut builder = StringBuilder::new();
        let (mut at, mut total) = (rows.start, 0u64);
        let mut longest = self.column.stored.fixed_text_bytes().unwrap_or(1);
        let mut step = (STEP_BYTES / longest).clamp(1, FIRST_STEP_ROWS);
        while at < rows.end {
            let end = rows.end.min(at.saturating_add(step));
            let is_first = at == rows.start;
            let mut is_full = false;
            let mut row = at;
            self.column
                .stored
                .read_texts(at..end, &mut self.heaps, &mut |text| {
                    longest = longest.max(text.len() as u64);
                    let after = total.saturating_add(text.len() as u64 + 4);
                    is_full |= after > max_bytes && !(is_first && row == at);
                    if !is_full && after > i32::MAX as u64 {
                        return Err(too_long(&self.column, row, text.len()));
                    }
                    if !is_full {
                        builder.append_value(text);
                        total = after;
                        row += 1;
                    }
                    Ok(!is_full)
                })?;
            at = row;
            if is_full {
                break;
            }
            // How long the next strings are shows only when they are in memory.
            step = (STEP_BYTES / longest).clamp(1, MAX_STEP_ROWS);
        }
        Ok((Arc::new(builder.finish()), total))
    }

    /// Rows as numbers; decoded chunks are kept while the cursor is inside them.
    fn numbers(&mut self, number: Number, rows: Range<u64>) -> Result<Buffer> {
        let stored = &self.column.stored;
        let row_bytes = stored.width() as usize * number.bytes();
        if let Some(offset) = stored.direct_offset(number) {
            let count = (rows.end - rows.start) as usize;
            let mut buffer = self.pool.take(count * row_bytes);
            let at = offset + rows.start * row_bytes as u64;
            stored.read_direct(at, &rows, buffer.as_slice_mut())?;
            return Ok(self.pool.give(buffer));
        }
        let chunk = match stored.storage() {
            Storage::Chunked {
                rows,
                is_filtered: true,
            } => rows.max(1),
            _ => return stored.read_numbers(number, rows),
        };
        let is_whole = |r: &Range<u64>| {
            r.start.is_multiple_of(chunk) && (r.end.is_multiple_of(chunk) || r.end == stored.rows())
        };
        if is_whole(&rows) {
            return stored.read_numbers(number, rows);
        }
        let mut out = MutableBuffer::new((rows.end - rows.start) as usize * row_bytes);
        let mut at = rows.start;
        while at < rows.end {
            // A band that is left behind goes before the next one is decoded.
            let held = match self.band.take().filter(|(range, _)| range.contains(&at)) {
                Some(held) => held,
                None => {
                    let start = at / chunk * chunk;
                    let range = start..start.saturating_add(chunk).min(stored.rows());
                    let buffer = stored.read_numbers(number, range.clone())?;
                    (range, buffer)
                }
            };
            let end = held.0.end.min(rows.end);
            let from = (at - held.0.start) as usize * row_bytes;
            let to = (end - held.0.start) as usize * row_bytes;
            out.extend_from_slice(held.1.as_slice().get(from..to).unwrap_or_default());
            at = end;
            self.band = Some(held);
        }
        Ok(out.into())
    }

    fn dense(&self, number: Number, buffer: Buffer) -> Result<ArrayRef> {
        let values: ArrayRef = match number {
            Number::I8 => primitive::<Int8Type>(buffer),
            Number::I16 => primitive::<Int16Type>(buffer),
            Number::I32 => primitive::<Int32Type>(buffer),
            Number::I64 => primitive::<Int64Type>(buffer),
            Number::U8 => primitive::<UInt8Type>(buffer),
            Number::U16 => primitive::<UInt16Type>(buffer),
            Number::U32 => primitive::<UInt32Type>(buffer),
            Number::U64 => primitive::<UInt64Type>(buffer),
            Number::F16 => primitive::<Float16Type>(buffer),
            Number::F32 => primitive::<Float32Type>(buffer),
            Number::F64 => primitive::<Float64Type>(buffer),
        };
        let Some(vector) = &self.vector else {
            return Ok(values);
        };
        let item =
            Elem::arrow_field(vector.elem).ok_or_else(|| internal("bits as dense vectors"))?;
        FixedSizeListArray::try_new(Arc::new(item), vector.dim as i32, values, None)
            .map(|array| make_array(arrow_array::Array::to_data(&array)))
            .map_err(|e| internal("making a batch of vectors").caused_by(e))
    }

    fn bits(&self, buffer: Buffer, row_bytes: u64) -> Result<ArrayRef> {
        FixedSizeBinaryArray::try_new(row_bytes as i32, buffer, None)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|e| internal("making a batch of vectors").caused_by(e))
    }

    fn inexact(&self, first_row: u64, at: usize) -> Error {
        let row = first_row + at as u64 / self.column.stored.width().max(1);
        let path = self.column.stored.path();
        Error::new(
            ErrorKind::Unsupported,
            format!("a value of `{path}` is beyond 2^53, no float holds it exactly"),
        )
        .with("row", row)
    }

    fn padded(&self, row: u64, dim: u32) -> Error {
        let path = self.column.stored.path();
        Error::new(
            ErrorKind::Format,
            format!("a vector of `{path}` has bits beyond its dimension {dim}"),
        )
        .with("row", row)
    }
}

fn primitive<T: ArrowPrimitiveType>(buffer: Buffer) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(buffer), None))
}

fn too_long(column: &Column, row: u64, bytes: usize) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "a string of `{}` has {bytes} bytes, more than a batch can hold",
            column.stored.path()
        ),
    )
    .with("row", row)
}

fn internal(doing: &str) -> Error {
    Error::new(ErrorKind::Internal, doing)
}
