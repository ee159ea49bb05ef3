// SPDX-License-Identifier: Apache-2.0
//! Each rule of `batch`, kept and broken.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, UInt32Builder};
use arrow_array::{ArrayRef, Int64Array, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{Schema, SchemaRef};

use super::super::{Elem, SchemaBuilder, field};
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

fn refused(batch: &RecordBatch, what: &str) {
    let error = validate(batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.message().contains(what), "{error}");
}

#[test]
fn dynamic_values_are_objects_that_shadow_no_column() {
    let json = field::with_extension(Field::new("$meta", DataType::Utf8, true), keys::JSON);
    let mut metadata = json.metadata().clone();
    metadata.insert(keys::ROLE.to_owned(), "dynamic".to_owned());
    let schema = SchemaBuilder::new()
        .id("id", DataType::Int64)
        .field(json.with_metadata(metadata))
        .finish()
        .unwrap();
    let values = |texts: [Option<&str>; 2]| {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        batch(
            &schema,
            vec![ids, Arc::new(StringArray::from(texts.to_vec()))],
        )
    };
    validate(&values([Some(r#"{"a":1}"#), None])).unwrap();
    refused(&values([Some("{}"), Some("[1]")]), "row 1");
    refused(
        &values([Some(r#"{"id":1}"#), None]),
        "`id`, which is a column",
    );
}

/// Vectors of 12 bits in lists of 2 and 1, the second vector as given.
fn bits(second: Option<[u8; 2]>, lists: Option<NullBuffer>) -> ListArray {
    let vectors = [Some([0xFF, 0xF0]), second, Some([1, 0])];
    let vectors = FixedSizeBinaryArray::try_from_sparse_iter_with_size(vectors.into_iter(), 2);
    let item = Arc::new(Field::new("item", DataType::FixedSizeBinary(2), true));
    let offsets = OffsetBuffer::from_lengths([2, 1]);
    ListArray::new(item, offsets, Arc::new(vectors.unwrap()), lists)
}

#[test]
fn vectors_inside_a_multi_vector_are_checked_row_by_row() {
    let multi = VectorType {
        kind: Kind::Multi,
        ..VectorType::binary(12, BitOrder::Msb)
    };
    let schema = SchemaBuilder::new()
        .vector("v", &multi)
        .unwrap()
        .finish()
        .unwrap();
    let of = |list: ListArray| batch(&schema, vec![Arc::new(list)]);
    validate(&of(bits(Some([0, 0x10]), None))).unwrap();
    refused(&of(bits(Some([0, 0x01]), None)), "row 0");
    refused(
        &of(bits(None, None)),
        "row 0 of the batch holds a null vector",
    );
    // What a null row, or a row of another slice, has underneath does not count.
    let second_only = NullBuffer::from(vec![false, true]);
    validate(&of(bits(None, Some(second_only.clone())))).unwrap();
    validate(&of(bits(Some([0, 1]), Some(second_only)))).unwrap();
    validate(&of(bits(Some([0, 1]), None).slice(1, 1))).unwrap();
}

#[test]
fn elements_inside_a_multi_vector_are_never_null() {
    let multi = VectorType {
        kind: Kind::Multi,
        ..VectorType::dense(Elem::F32, 2)
    };
    let schema = SchemaBuilder::new()
        .vector("v", &multi)
        .unwrap()
        .finish()
        .unwrap();
    let of = |elements: [Option<f32>; 4]| {
        let mut lists = ListBuilder::new(FixedSizeListBuilder::new(Float32Builder::new(), 2));
        for pair in elements.chunks(2) {
            let vector = lists.values();
            pair.iter().for_each(|e| vector.values().append_option(*e));
            vector.append(true);
            lists.append(true);
        }
        batch(&schema, vec![Arc::new(lists.finish())])
    };
    validate(&of([Some(1.0); 4])).unwrap();
    refused(&of([Some(1.0), Some(1.0), None, Some(1.0)]), "row 1");
}

#[test]
fn vectors_inside_a_struct_array_are_checked() {
    let bits_field = VectorType::binary(12, BitOrder::Msb).field("bits").unwrap();
    let members = Fields::from(vec![bits_field.with_nullable(true)]);
    let of = |second: Option<[u8; 2]>,
              members_valid: Option<NullBuffer>,
              lists: Option<NullBuffer>| {
        let list = bits(second, None);
        let parts = StructArray::new(members.clone(), vec![list.values().clone()], members_valid);
        let item = Arc::new(Field::new("item", parts.data_type().clone(), true));
        let chunks = ListArray::new(item, list.offsets().clone(), Arc::new(parts), lists);
        let field = Field::new("chunks", chunks.data_type().clone(), true);
        let schema = SchemaBuilder::new().field(field).finish().unwrap();
        batch(&schema, vec![Arc::new(chunks)])
    };
    validate(&of(Some([0, 0x10]), None, None)).unwrap();
    validate(&of(None, None, None)).unwrap();
    refused(
        &of(Some([0, 1]), None, None),
        "column `chunks.item.bits`: row 1",
    );
    // Under a null struct, or in a null list, nothing counts.
    let not_second = NullBuffer::from(vec![true, false, true]);
    validate(&of(Some([0, 1]), Some(not_second), None)).unwrap();
    let not_first_list = NullBuffer::from(vec![false, true]);
    validate(&of(Some([0, 1]), None, Some(not_first_list))).unwrap();
}

#[test]
fn sparse_lists_are_equally_long_and_without_nulls() {
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
    let of = |indices: &[Option<u32>], values: &[Option<f32>]| {
        let mut i = ListBuilder::new(UInt32Builder::new());
        let mut v = ListBuilder::new(Float32Builder::new());
        // A whole vector first.
        i.append_value([Some(3)]);
        v.append_value([Some(1.0)]);
        i.append_value(indices.iter().copied());
        v.append_value(values.iter().copied());
        let (i, v) = (i.finish(), v.finish());
        let parts = Fields::from(vec![
            Field::new("indices", i.data_type().clone(), true),
            Field::new("values", v.data_type().clone(), true),
        ]);
        let vectors = StructArray::new(parts, vec![Arc::new(i), Arc::new(v)], None);
        batch(&schema, vec![Arc::new(vectors)])
    };
    validate(&of(&[Some(1), Some(u32::MAX - 1)], &[Some(1.0), Some(2.0)])).unwrap();
    validate(&of(&[], &[])).unwrap();
    refused(
        &of(&[Some(1)], &[Some(1.0), Some(2.0)]),
        "row 1 of the batch has not as many",
    );
    refused(
        &of(&[None], &[Some(1.0)]),
        "row 1 of the batch holds a null",
    );
    refused(&of(&[Some(1)], &[None]), "row 1 of the batch holds a null");
    refused(&of(&[Some(u32::MAX)], &[Some(1.0)]), "below 2^32-1");
}
