// SPDX-License-Identifier: Apache-2.0
//! Refuses batches whose content breaks the convention: nulls where none may be, sparse
//! vectors out of order, pad bits that are set, dynamic members that are no objects (data model
//! 5.2, 5.3).
//!
//! Cost: a look at null counts for dense columns; binary columns with pad bits, sparse and
//! dynamic ones are read.

use std::collections::HashSet;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, FixedSizeBinaryArray, FixedSizeListArray, ListArray, RecordBatch};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{DataType, Field, Fields};

use super::field::{Kind, VectorType};
use super::schema::{Column, classify};
use super::{BitOrder, dynamic, keys};
use crate::{Error, ErrorKind, Result};

/// Refuses a batch with a null id, null vector elements or malformed vectors.
///
/// The batch's schema must have passed [`validate`](super::schema::validate).
///
/// # Errors
/// `Format`, naming the column and the row within the batch.
pub fn validate(batch: &RecordBatch) -> Result<()> {
    let fields = batch.schema_ref().fields();
    for (field, array) in fields.iter().zip(batch.columns()) {
        let cells = Cells::of(field.name(), array.as_ref(), None);
        if array.null_count() > 0 && !field.is_nullable() {
            let what = "is null, but the column is declared non-null";
            return Err(cells.bad(cells.first_null(), what));
        }
        match classify(field) {
            Column::Id if array.null_count() > 0 => {
                return Err(cells.bad(cells.first_null(), "has no id; an id is never null"));
            }
            Column::Vector(vector) => check_vector(&vector, &cells)?,
            Column::Dynamic => check_dynamic(&cells, fields)?,
            Column::Scalar => check_nested(field, &cells)?,
            _ => {}
        }
    }
    Ok(())
}

/// An array and which of its cells count: those that neither they nor a parent say are null.
struct Cells<'a> {
    column: &'a str,
    array: &'a dyn Array,
    valid: Option<NullBuffer>,
}

impl<'a> Cells<'a> {
    fn of(column: &'a str, array: &'a dyn Array, parent: Option<&NullBuffer>) -> Self {
        Self {
            column,
            array,
            valid: NullBuffer::union(parent, array.nulls()),
        }
    }

    fn counts(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|v| v.is_valid(row))
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.array.len()).filter(|row| self.counts(*row))
    }

    fn first_null(&self) -> usize {
        (0..self.array.len())
            .find(|row| self.array.is_null(*row))
            .unwrap_or(0)
    }

    fn bad(&self, row: usize, what: &str) -> Error {
        Error::new(
            ErrorKind::Format,
            format!("column `{}`: row {row} of the batch {what}", self.column),
        )
    }
}

/// Looks for vectors inside lists and structs.
fn check_nested(field: &Field, cells: &Cells<'_>) -> Result<()> {
    match field.data_type() {
        DataType::Struct(fields) => {
            let parts = cells.array.as_struct();
            for (child, array) in fields.iter().zip(parts.columns()) {
                check_inner(child, cells, array.as_ref(), cells.valid.as_ref())?;
            }
            Ok(())
        }
        // Only the elements that some row has count, and not those of a null row.
        DataType::List(item) => {
            let list = cells.array.as_list::<i32>();
            let used = used_range(list);
            let values = list.values().slice(used.start, used.len());
            let valid = cells.valid.as_ref().map(|_| {
                let mut valid = BooleanBufferBuilder::new(used.len());
                (0..list.len()).for_each(|row| {
                    valid.append_n(range_of(list, row).len(), cells.counts(row));
                });
                NullBuffer::new(valid.finish())
            });
            check_inner(item, cells, values.as_ref(), valid.as_ref())
        }
        DataType::FixedSizeList(item, size) => {
            let values = cells.array.as_fixed_size_list().values();
            let valid = cells.valid.as_ref().map(|v| v.expand(*size as usize));
            check_inner(item, cells, values.as_ref(), valid.as_ref())
        }
        _ => Ok(()),
    }
}

fn check_inner(
    field: &Field,
    parent: &Cells<'_>,
    array: &dyn Array,
    valid: Option<&NullBuffer>,
) -> Result<()> {
    let column = format!("{}.{}", parent.column, field.name());
    let cells = Cells::of(&column, array, valid);
    match classify(field) {
        Column::Vector(vector) => check_vector(&vector, &cells),
        Column::Scalar => check_nested(field, &cells),
        _ => Ok(()),
    }
}

fn check_vector(vector: &VectorType, cells: &Cells<'_>) -> Result<()> {
    match vector.kind {
        Kind::Dense => {
            let list = cells.array.as_fixed_size_list();
            match null_elements(list) {
                Some(nulls) => check_elements(cells, list, nulls),
                None => Ok(()),
            }
        }
        Kind::Binary => {
            let bytes = cells.array.as_fixed_size_binary();
            check_pad_bits(cells, vector, bytes, |row| row..row + 1)
        }
        Kind::Sparse => check_sparse(cells),
        Kind::Multi => check_multi(vector, cells),
    }
}

/// The elements' validity, if one of them is null.
fn null_elements(list: &FixedSizeListArray) -> Option<&NullBuffer> {
    list.values().nulls().filter(|n| n.null_count() > 0)
}

/// Null vectors may be; null elements inside a vector that is there may not.
fn check_elements(cells: &Cells<'_>, list: &FixedSizeListArray, nulls: &NullBuffer) -> Result<()> {
    let dim = list.value_length() as usize;
    for row in cells.rows() {
        if nulls.slice(row * dim, dim).null_count() > 0 {
            let what = "holds a null element; elements of vectors are never null";
            return Err(cells.bad(row, what));
        }
    }
    Ok(())
}

/// Checks the pad bits of the vectors that `of_row` says belong to a row.
fn check_pad_bits(
    cells: &Cells<'_>,
    vector: &VectorType,
    bytes: &FixedSizeBinaryArray,
    of_row: impl Fn(usize) -> Range<usize>,
) -> Result<()> {
    let used = vector.dim % 8;
    let pad = match vector.bit_order {
        _ if used == 0 => return Ok(()),
        Some(BitOrder::Lsb) => 0xFFu8 << used,
        Some(BitOrder::Msb) => 0xFFu8 >> used,
        // Nobody can say which bits are the pad.
        Some(BitOrder::Unknown) | None => return Ok(()),
    };
    for row in cells.rows() {
        let set = |i: usize| bytes.value(i).last().is_some_and(|last| last & pad != 0);
        if of_row(row).any(set) {
            return Err(cells.bad(row, "has bits set beyond its dimension"));
        }
    }
    Ok(())
}

fn check_multi(vector: &VectorType, cells: &Cells<'_>) -> Result<()> {
    let list = cells.array.as_list::<i32>();
    let values = list.values().as_ref();
    if let Some(nulls) = values.nulls().filter(|n| n.null_count() > 0) {
        for row in cells.rows() {
            if range_of(list, row).any(|i| nulls.is_null(i)) {
                return Err(cells.bad(row, "holds a null vector inside a multi-vector"));
            }
        }
    }
    if vector.elem.bytes().is_none() {
        let bytes = values.as_fixed_size_binary();
        return check_pad_bits(cells, vector, bytes, |row| range_of(list, row));
    }
    let vectors = values.as_fixed_size_list();
    let dim = vectors.value_length() as usize;
    let Some(nulls) = null_elements(vectors) else {
        return Ok(());
    };
    for row in cells.rows() {
        let range = range_of(list, row);
        if nulls
            .slice(range.start * dim, range.len() * dim)
            .null_count()
            > 0
        {
            return Err(cells.bad(row, "holds a null element inside a multi-vector"));
        }
    }
    Ok(())
}

fn check_sparse(cells: &Cells<'_>) -> Result<()> {
    let parts = cells.array.as_struct();
    let (indices, values) = (
        parts.column(0).as_list::<i32>(),
        parts.column(1).as_list::<i32>(),
    );
    let numbers = indices.values().as_primitive::<UInt32Type>();
    let null_in = |array: &dyn Array, mut range: Range<usize>| {
        array.null_count() > 0 && range.any(|i| array.is_null(i))
    };
    for row in cells.rows() {
        let (i, v) = (range_of(indices, row), range_of(values, row));
        if indices.is_null(row)
            || values.is_null(row)
            || null_in(numbers, i.clone())
            || null_in(values.values(), v.clone())
        {
            return Err(cells.bad(row, "holds a null inside a sparse vector"));
        }
        if i.len() != v.len() {
            return Err(cells.bad(row, "has not as many values as indices"));
        }
        let i = numbers.values().get(i).unwrap_or(&[]);
        let ascending = i.windows(2).all(|w| matches!(w, [a, b] if a < b));
        if !ascending || i.last() == Some(&u32::MAX) {
            let what = "has indices that are not strictly ascending below 2^32-1";
            return Err(cells.bad(row, what));
        }
    }
    Ok(())
}

fn check_dynamic(cells: &Cells<'_>, fields: &Fields) -> Result<()> {
    let columns: HashSet<&str> = fields.iter().map(|f| f.name().as_str()).collect();
    let texts = cells.array.as_string::<i32>();
    for row in cells.rows() {
        dynamic::check(texts.value(row), &columns).map_err(|what| cells.bad(row, &what))?;
    }
    Ok(())
}

/// The elements of a row of a list.
fn range_of(list: &ListArray, row: usize) -> Range<usize> {
    let at = |i: usize| list.value_offsets().get(i).map_or(0, |o| *o as usize);
    at(row)..at(row + 1)
}

/// The elements that any row of a list has.
fn used_range(list: &ListArray) -> Range<usize> {
    let ends = (list.value_offsets().first(), list.value_offsets().last());
    match ends {
        (Some(first), Some(last)) => *first as usize..*last as usize,
        _ => 0..0,
    }
}

/// Bytes that the rows of a batch take, whatever else its buffers hold.
pub fn bytes_of(batch: &RecordBatch) -> u64 {
    let columns = batch.columns().iter();
    columns
        .map(|column| array_bytes(column.as_ref()))
        .fold(0, u64::saturating_add)
}

/// Of a sliced list only the elements that its rows refer to; arrow-data counts all of them.
fn array_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    let validity = if array.nulls().is_some() {
        rows.div_ceil(8)
    } else {
        0
    };
    let values = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (first, last) = (offsets.first(), offsets.last());
            let (first, last) = (*first.unwrap_or(&0) as usize, *last.unwrap_or(&0) as usize);
            let elements = list.values().slice(first, last.saturating_sub(first));
            (rows + 1)
                .saturating_mul(4)
                .saturating_add(array_bytes(elements.as_ref()))
        }
        DataType::Struct(_) => {
            let children = array.as_struct().columns().iter();
            children
                .map(|child| array_bytes(child.as_ref()))
                .fold(0, u64::saturating_add)
        }
        // Slicing one slices its elements.
        DataType::FixedSizeList(..) => array_bytes(array.as_fixed_size_list().values().as_ref()),
        _ => {
            let data = array.to_data();
            let bytes = data.get_slice_memory_size();
            return bytes.unwrap_or_else(|_| array.get_array_memory_size()) as u64;
        }
    };
    values.saturating_add(validity)
}

/// Refuses a batch whose children or buffers pass the ceilings of the data model.
///
/// # Errors
/// `Format`, naming the column.
pub fn check_ceilings(field: &Field, child_elements: u64, buffer_bytes: u64) -> Result<()> {
    if child_elements > keys::MAX_BATCH_ELEMENTS || buffer_bytes > keys::MAX_BUFFER_BYTES {
        return Err(Error::new(
            ErrorKind::Format,
            format!(
                "column `{}`: {child_elements} elements in {buffer_bytes} bytes pass the ceiling of a batch (2^31-1 elements, 2 GiB a buffer)",
                field.name()
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
