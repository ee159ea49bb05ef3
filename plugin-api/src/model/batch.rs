// SPDX-License-Identifier: Apache-2.0
//! Refuses batches whose content breaks the convention: nulls where none may be, sparse
//! vectors out of order, pad bits that are set (data model 5.2, 5.3).
//!
//! Cost: a look at null counts for dense columns; binary, sparse and dynamic columns are read.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::Field;

use super::field::{Kind, VectorType};
use super::keys;
use super::schema::{Column, classify};
use crate::{Error, ErrorKind, Result};

/// Refuses a batch with a null id, null vector elements or malformed vectors.
///
/// The batch's schema must have passed [`validate`](super::schema::validate).
///
/// # Errors
/// `Format`, naming the column and the row within the batch.
pub fn validate(batch: &RecordBatch) -> Result<()> {
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if array.null_count() > 0 && !field.is_nullable() {
            return Err(bad(
                field,
                first_null(array),
                "is null, but the column is declared non-null",
            ));
        }
        match classify(field) {
            Column::Id if array.null_count() > 0 => {
                return Err(bad(
                    field,
                    first_null(array),
                    "has no id; an id is never null",
                ));
            }
            Column::Vector(vector) => check_vector(field, &vector, array.as_ref())?,
            _ => {}
        }
    }
    Ok(())
}

fn check_vector(field: &Field, vector: &VectorType, array: &dyn Array) -> Result<()> {
    match vector.kind {
        Kind::Dense => check_elements(field, array),
        Kind::Binary => check_pad_bits(field, vector, array),
        Kind::Sparse => check_sparse(field, array),
        Kind::Multi => {
            let list = array.as_list::<i32>();
            let values = list.values();
            if values.null_count() > 0 {
                return Err(bad(field, 0, "holds a null vector inside a multi-vector"));
            }
            match vector.elem.bytes() {
                Some(_) => check_elements(field, values.as_ref()),
                None => check_pad_bits(field, vector, values.as_ref()),
            }
        }
    }
}

/// Null vectors may be; null elements inside a vector that is there may not.
fn check_elements(field: &Field, array: &dyn Array) -> Result<()> {
    let list = array.as_fixed_size_list();
    let dim = list.value_length() as usize;
    let Some(nulls) = list.values().nulls().filter(|n| n.null_count() > 0) else {
        return Ok(());
    };
    for row in (0..list.len()).filter(|row| list.is_valid(*row)) {
        if nulls.slice(row * dim, dim).null_count() > 0 {
            return Err(bad(
                field,
                row,
                "holds a null element; elements of vectors are never null",
            ));
        }
    }
    Ok(())
}

fn check_pad_bits(field: &Field, vector: &VectorType, array: &dyn Array) -> Result<()> {
    let used = vector.dim % 8;
    if used == 0 {
        return Ok(());
    }
    let pad = match vector.bit_order {
        Some(super::BitOrder::Lsb) => 0xFFu8 << used,
        Some(super::BitOrder::Msb) => 0xFFu8 >> used,
        // Nobody can say which bits are the pad.
        Some(super::BitOrder::Unknown) | None => return Ok(()),
    };
    let bytes = array.as_fixed_size_binary();
    for row in (0..bytes.len()).filter(|row| bytes.is_valid(*row)) {
        if bytes.value(row).last().is_some_and(|last| last & pad != 0) {
            return Err(bad(field, row, "has bits set beyond its dimension"));
        }
    }
    Ok(())
}

fn check_sparse(field: &Field, array: &dyn Array) -> Result<()> {
    let parts = array.as_struct();
    let indices = parts.column(0).as_list::<i32>();
    let values = parts.column(1).as_list::<i32>();
    for row in (0..parts.len()).filter(|row| parts.is_valid(*row)) {
        let (i, v) = (indices.value(row), values.value(row));
        if i.null_count() > 0 || v.null_count() > 0 || indices.is_null(row) || values.is_null(row) {
            return Err(bad(field, row, "holds a null inside a sparse vector"));
        }
        if i.len() != v.len() {
            return Err(bad(field, row, "has not as many values as indices"));
        }
        let i = i.as_primitive::<UInt32Type>().values();
        let ascending = i.windows(2).all(|w| matches!(w, [a, b] if a < b));
        if !ascending || i.last().is_some_and(|last| *last == u32::MAX) {
            return Err(bad(
                field,
                row,
                "has indices that are not strictly ascending below 2^32-1",
            ));
        }
    }
    Ok(())
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

fn first_null(array: &dyn Array) -> usize {
    (0..array.len())
        .find(|row| array.is_null(*row))
        .unwrap_or(0)
}

fn bad(field: &Field, row: usize, what: &str) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("column `{}`: row {row} of the batch {what}", field.name()),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, UInt32Builder};
    use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, StructArray};
    use arrow_schema::{DataType, Schema, SchemaRef};

    use super::super::{BitOrder, Elem, SchemaBuilder};
    use super::*;

    fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .zip(&columns)
            .map(|(f, c)| {
                f.as_ref()
                    .clone()
                    .with_data_type(c.data_type().clone())
                    .with_nullable(true)
            })
            .collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        RecordBatch::try_new(schema, columns).unwrap()
    }

    #[test]
    fn a_null_id_is_refused() {
        let schema = SchemaBuilder::new()
            .id("id", DataType::Int64)
            .finish()
            .unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert!(
            validate(&batch(&schema, vec![ids]))
                .unwrap_err()
                .to_string()
                .contains("row 1")
        );
    }

    #[test]
    fn a_null_element_is_refused_and_a_null_vector_is_not() {
        let schema = SchemaBuilder::new()
            .vector("v", &VectorType::dense(Elem::F32, 2))
            .unwrap()
            .finish()
            .unwrap();
        let build = |rows: &[Option<[Option<f32>; 2]>]| -> ArrayRef {
            let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), 2);
            for row in rows {
                for element in row.unwrap_or([None, None]) {
                    builder.values().append_option(element);
                }
                builder.append(row.is_some());
            }
            Arc::new(builder.finish())
        };
        validate(&batch(
            &schema,
            vec![build(&[Some([Some(1.0), Some(2.0)]), None])],
        ))
        .unwrap();
        let bad = build(&[Some([Some(1.0), Some(2.0)]), Some([None, Some(1.0)])]);
        assert!(
            validate(&batch(&schema, vec![bad]))
                .unwrap_err()
                .to_string()
                .contains("row 1")
        );
    }

    #[test]
    fn pad_bits_must_be_zero() {
        let schema = SchemaBuilder::new()
            .vector("v", &VectorType::binary(12, BitOrder::Lsb))
            .unwrap()
            .finish()
            .unwrap();
        let good: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter([[0xFFu8, 0x0F]].iter()).unwrap());
        validate(&batch(&schema, vec![good])).unwrap();
        let bad: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter([[0xFFu8, 0x1F]].iter()).unwrap());
        assert!(validate(&batch(&schema, vec![bad])).is_err());
    }

    #[test]
    fn sparse_indices_must_ascend() {
        let vector = VectorType {
            kind: Kind::Sparse,
            dim: 0,
            ..VectorType::dense(Elem::F32, 1)
        };
        let schema = SchemaBuilder::new()
            .vector("v", &vector)
            .unwrap()
            .finish()
            .unwrap();
        let build = |indices: &[u32]| -> ArrayRef {
            let item = Field::new("item", DataType::UInt32, false);
            let mut i = ListBuilder::new(UInt32Builder::new()).with_field(item);
            let item = Field::new("item", DataType::Float32, false);
            let mut v = ListBuilder::new(Float32Builder::new()).with_field(item);
            i.append_value(indices.iter().copied().map(Some));
            v.append_value(indices.iter().map(|_| Some(1.0)));
            let DataType::Struct(fields) = vector.data_type().unwrap() else {
                unreachable!()
            };
            Arc::new(StructArray::new(
                fields,
                vec![Arc::new(i.finish()), Arc::new(v.finish())],
                None,
            ))
        };
        validate(&batch(&schema, vec![build(&[1, 5])])).unwrap();
        assert!(validate(&batch(&schema, vec![build(&[5, 1])])).is_err());
        assert!(validate(&batch(&schema, vec![build(&[5, 5])])).is_err());
    }
}
