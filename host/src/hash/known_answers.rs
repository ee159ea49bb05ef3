// SPDX-License-Identifier: Apache-2.0
//! The known answers of the data model: an independent program gives the same.

use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder, UInt32Builder};
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Int64Array, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use milvusdm_plugin_api::model::{BitOrder, Elem, Kind, VectorType, field, keys};

use super::*;

fn answer(columns: Vec<(Field, ArrayRef)>) -> String {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    // Children are named as Arrow's builders do, not as the convention's.
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .zip(&arrays)
        .map(|(f, a)| f.as_ref().clone().with_data_type(a.data_type().clone()))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let sums = Hasher::as_named(&schema).unwrap().sums(&batch).unwrap();
    assert_eq!(sums.rows, 1);
    digest_text(sums.row)
}

fn id(value: i64) -> (Field, ArrayRef) {
    (
        field::id_field("id", DataType::Int64),
        Arc::new(Int64Array::from(vec![value])),
    )
}

#[test]
fn k1_one_single() {
    let vectors =
        FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(1.0)])], 1);
    let vector = VectorType::dense(Elem::F32, 1).field("vector").unwrap();
    assert_eq!(
        answer(vec![id(1), (vector, Arc::new(vectors))]),
        "92b173876a9b9abe3850ecddf4162ab4"
    );
}

#[test]
fn k2_doubles_with_a_negative_zero_and_a_nan() {
    let row = [0.5, -0.0, f64::NAN, 0.1].map(Some);
    let vectors = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>([Some(row)], 4);
    let vector = VectorType::dense(Elem::F64, 4).field("vector").unwrap();
    let id = (
        field::id_field("id", DataType::Utf8),
        Arc::new(StringArray::from(vec!["a"])) as ArrayRef,
    );
    assert_eq!(
        answer(vec![id, (vector, Arc::new(vectors))]),
        "91eb9f7fa9db1f85eebb693a521471ea"
    );
}

#[test]
fn k3_a_sparse_vector_with_a_zero_and_no_id() {
    let vector = VectorType {
        kind: Kind::Sparse,
        ..VectorType::dense(Elem::F32, 0)
    };
    let field = vector.field("sv").unwrap();
    let DataType::Struct(parts) = field.data_type().clone() else {
        panic!("a sparse vector is a struct");
    };
    let item = |name: &str| match parts.find(name).map(|(_, part)| part.data_type()) {
        Some(DataType::List(item)) => Arc::clone(item),
        other => panic!("{other:?}"),
    };
    let mut indices = ListBuilder::new(UInt32Builder::new()).with_field(item("indices"));
    indices.append_value([2, 4, 9].map(Some));
    let mut values = ListBuilder::new(Float32Builder::new()).with_field(item("values"));
    values.append_value([0.25, 0.0, 1.5].map(Some));
    let columns: Vec<ArrayRef> = vec![Arc::new(indices.finish()), Arc::new(values.finish())];
    let vectors = StructArray::new(parts, columns, None);
    assert_eq!(
        answer(vec![(field, Arc::new(vectors))]),
        "6ebf75510373792093017411ccdf0ab4"
    );
}

#[test]
fn k4_scalars_of_every_kind() {
    let json = r#"{"b":[1,2.5,null],"a":1.0,"z":null}"#;
    let uuid: Vec<u8> = (0..16).collect();
    let at = TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC");
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let plain = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let columns: Vec<(Field, ArrayRef)> = vec![
        id(-7),
        (
            field::with_extension(plain("j", DataType::Utf8), keys::JSON),
            Arc::new(StringArray::from(vec![json])),
        ),
        (
            plain("s", DataType::Utf8),
            Arc::new(StringArray::from(vec!["é"])),
        ),
        (
            plain("t", DataType::Boolean),
            Arc::new(BooleanArray::from(vec![true])),
        ),
        (plain("ts", utc), Arc::new(at)),
        (
            field::with_extension(plain("u", DataType::FixedSizeBinary(16)), keys::UUID),
            Arc::new(FixedSizeBinaryArray::try_from_iter([uuid].into_iter()).unwrap()),
        ),
    ];
    assert_eq!(answer(columns), "e6a7604b80c4590d0d3a0bef7ca247df");
}

#[test]
fn k5_bits_whose_first_is_the_lowest() {
    let vectors = FixedSizeBinaryArray::try_from_iter([[0x81, 0x02]].into_iter()).unwrap();
    let vector = VectorType::binary(16, BitOrder::Lsb).field("bits").unwrap();
    assert_eq!(
        answer(vec![id(3), (vector, Arc::new(vectors))]),
        "cb68f9ea49f5096cd3d91b457eb56e4a"
    );
}
