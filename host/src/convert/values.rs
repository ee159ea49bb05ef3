// SPDX-License-Identifier: Apache-2.0
//! The conversions of values; which one a column gets is decided elsewhere.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, StringArray,
};
use arrow_buffer::NullBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef};
use milvusdm_plugin_api::model::wire;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::How;

/// Converts a column; values that do not fit become null.
///
/// # Errors
/// `Internal` where the column is not of the type that the conversion was decided for.
pub(super) fn convert(how: &How, column: &ArrayRef, target: &Field) -> Result<ArrayRef> {
    match how {
        How::Keep => Ok(Arc::clone(column)),
        How::Cast => cast(column, target.data_type()),
        How::WidenBf16 => widen_bf16(column, target),
        How::Narrow if column.data_type().is_floating() => Ok(Arc::new(narrow(column))),
        How::Narrow => narrow_vector(column, target),
        How::UuidText => Ok(Arc::new(uuid_texts(column)?)),
        How::Uuid5 => uuid5(column, target),
    }
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    cast_with_options(column, to, &options)
        .map_err(|e| Error::new(ErrorKind::Internal, "convert a column").caused_by(e))
}

/// The item field and size of a dense vector's type.
fn dense(target: &Field) -> Result<(FieldRef, i32)> {
    match target.data_type() {
        DataType::FixedSizeList(item, size) => Ok((Arc::clone(item), *size)),
        other => Err(Error::new(
            ErrorKind::Internal,
            format!("{other} is no dense vector"),
        )),
    }
}

fn list(target: &Field, values: ArrayRef, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let (item, size) = dense(target)?;
    FixedSizeListArray::try_new(item, size, values, nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|e| Error::new(ErrorKind::Internal, "convert vectors").caused_by(e))
}

fn widen_bf16(column: &ArrayRef, target: &Field) -> Result<ArrayRef> {
    let vectors = column.as_fixed_size_list();
    let halves = vectors.values().as_fixed_size_binary();
    let widened = halves.values().chunks_exact(2).map(|half| match half {
        [low, high] => f32::from_le_bytes([0, 0, *low, *high]),
        _ => 0.0,
    });
    let values = Float32Array::from_iter_values(widened);
    // A sliced array's buffer starts before its first value.
    let values = match halves.values().len() / 2 == halves.len() {
        true => values,
        false => values.slice(halves.offset(), halves.len()),
    };
    list(target, Arc::new(values), vectors.nulls().cloned())
}

/// A finite double whose nearest float is infinite becomes null.
fn narrow(column: &ArrayRef) -> Float32Array {
    column.as_primitive::<Float64Type>().unary_opt(|wide| {
        let narrow = wide as f32;
        (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
    })
}

/// A finite double whose nearest float is infinite makes the whole vector null.
fn narrow_vector(column: &ArrayRef, target: &Field) -> Result<ArrayRef> {
    let vectors = column.as_fixed_size_list();
    let (_, size) = dense(target)?;
    let wide = vectors.values().as_primitive::<Float64Type>();
    let narrow: Float32Array = wide.unary::<_, Float32Type>(|value| value as f32);
    let pairs = wide
        .values()
        .chunks_exact(size as usize)
        .zip(narrow.values().chunks_exact(size as usize));
    let fits: NullBuffer = pairs
        .map(|(wide, narrow)| {
            wide.iter()
                .zip(narrow)
                .all(|(w, n)| !w.is_finite() || n.is_finite())
        })
        .collect::<Vec<bool>>()
        .into();
    let nulls = NullBuffer::union(vectors.nulls(), Some(&fits));
    list(target, Arc::new(narrow), nulls)
}

fn uuids(column: &ArrayRef) -> Result<impl Iterator<Item = Option<Uuid>>> {
    let bytes = column.as_fixed_size_binary_opt().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            format!("{} is no UUID", column.data_type()),
        )
    })?;
    Ok(bytes
        .iter()
        .map(|value| value.and_then(|value| Uuid::from_slice(value).ok())))
}

fn uuid_texts(column: &ArrayRef) -> Result<StringArray> {
    Ok(uuids(column)?
        .map(|uuid| uuid.map(|uuid| uuid.hyphenated().to_string()))
        .collect())
}

/// The text that stands for an id: decimal, hyphenated, or itself.
fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::FixedSizeBinary(16) => Ok(Arc::new(uuid_texts(column)?)),
        _ => cast(column, &DataType::Utf8),
    }
}

/// Version 5 in a name space of our own, so that equal ids give equal UUIDs in every run.
fn uuid5(column: &ArrayRef, target: &Field) -> Result<ArrayRef> {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"milvusdm");
    let texts = texts(column)?;
    let derived = texts
        .as_string::<i32>()
        .iter()
        .map(|text| text.map(|text| Uuid::new_v5(&space, text.as_bytes())));
    if *target.data_type() == DataType::Utf8 {
        let texts: StringArray = derived
            .map(|uuid| uuid.map(|uuid| uuid.hyphenated().to_string()))
            .collect();
        return Ok(Arc::new(texts));
    }
    let bytes: Vec<Option<[u8; 16]>> = derived.map(|uuid| uuid.map(Uuid::into_bytes)).collect();
    FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 16)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|e| Error::new(ErrorKind::Internal, "derive UUIDs").caused_by(e))
}

/// One value as text, for messages; `None` if it is null.
pub(super) fn text(column: &ArrayRef, field: &Field, row: usize) -> Option<String> {
    if row >= column.len() || column.is_null(row) {
        return None;
    }
    let value = column.slice(row, 1);
    let texts = match wire::type_name(field).as_str() {
        "Uuid" => Arc::new(uuid_texts(&value).ok()?) as ArrayRef,
        _ => cast(&value, &DataType::Utf8).ok()?,
    };
    texts
        .as_string_opt::<i32>()?
        .iter()
        .next()
        .flatten()
        .map(str::to_owned)
}
