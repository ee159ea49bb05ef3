// SPDX-License-Identifier: Apache-2.0
//! Each rule of `batch`, kept and broken.

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
