// SPDX-License-Identifier: Apache-2.0
//! Batches of every wire type cross unharmed.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::FfiArray;
use crate::abi::c_schema::FfiSchema;
use crate::model::field::{id_field, with_extension};
use crate::model::{BitOrder, Elem, Kind, SchemaBuilder, VectorType, keys};
use crate::testkit::sample;

/// Fields of every wire type, flat and nested, and of every kind of vector.
fn every_type() -> Vec<Field> {
    use DataType as T;
    let mut types = vec![
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Decimal128(38, 5),
        T::Utf8,
        T::Binary,
        T::FixedSizeBinary(3),
        T::Date32,
        T::Time32(TimeUnit::Second),
        T::Time64(TimeUnit::Nanosecond),
        T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        T::Timestamp(TimeUnit::Second, None),
        T::Null,
    ];
    let item = |t: &T| Arc::new(Field::new("item", t.clone(), true));
    types.extend(types.clone().iter().map(|t| T::List(item(t))));
    types.extend(
        [T::Boolean, T::Utf8, T::Int16]
            .iter()
            .map(|t| T::FixedSizeList(item(t), 3)),
    );
    types.push(T::Struct(Fields::from(vec![
        Field::new("a", T::Utf8, true),
        Field::new("b", T::List(item(&T::Boolean)), true),
    ])));
    types.push(T::List(item(types.last().unwrap())));
    let mut fields: Vec<Field> = types
        .into_iter()
        .enumerate()
        .map(|(i, t)| Field::new(format!("c{i}"), t, true))
        .collect();
    for elem in Elem::ALL {
        for kind in Kind::ALL {
            let vector = VectorType {
                kind: *kind,
                elem: *elem,
                ..VectorType::binary(13, BitOrder::Msb)
            };
            if let Ok(field) = vector.field(&format!("{kind}_{elem}")) {
                fields.push(field.with_nullable(true));
            }
        }
    }
    fields.push(with_extension(
        Field::new("json", T::Utf8, true),
        keys::JSON,
    ));
    let dynamic = with_extension(Field::new("$meta", T::Utf8, true), keys::JSON);
    let mut metadata = dynamic.metadata().clone();
    metadata.insert(keys::ROLE.to_owned(), "dynamic".to_owned());
    fields.push(dynamic.with_metadata(metadata));
    fields
}

/// A schema of these fields through export and import.
fn crossed(fields: Vec<Field>) -> SchemaRef {
    let schema = fields
        .into_iter()
        .fold(SchemaBuilder::new(), SchemaBuilder::field);
    let exported = FfiSchema::export(&schema.finish().unwrap()).unwrap();
    // SAFETY: made by `export`.
    unsafe { exported.import() }.unwrap()
}

#[test]
fn every_wire_type_is_covered() {
    assert_eq!(every_type().len(), 22 + 22 + 3 + 2 + 20 + 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_batch_of_any_wire_type_survives_the_trip(
        seed in any::<u64>(),
        rows in 0usize..40,
        from in 0usize..40,
        nulls in any::<bool>(),
    ) {
        for field in every_type() {
            let name = field.name().clone();
            let schema = crossed(vec![id_field("id", DataType::Utf8), field]);
            let batch = sample::batch(&schema, 5, rows, seed, nulls).unwrap();
            let from = from.min(rows);
            let slice = batch.slice(from, (rows - from).div_ceil(2));
            for batch in [batch, slice] {
                // SAFETY: made by `export`.
                let back = unsafe { FfiArray::export(batch.clone()).import(&schema) };
                prop_assert_eq!(back.map_err(|e| TestCaseError::fail(format!("{name}: {e}")))?, batch);
            }
        }
    }
}
