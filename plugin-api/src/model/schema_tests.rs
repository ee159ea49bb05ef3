// SPDX-License-Identifier: Apache-2.0
//! Each rule of `schema`, kept and broken.

use std::sync::Arc;

use super::super::{BitOrder, Kind};
use super::*;

fn versioned(fields: Vec<Field>) -> Schema {
    Schema::new_with_metadata(
        fields,
        HashMap::from([(keys::VERSION.to_owned(), "1".to_owned())]),
    )
}

#[test]
fn the_worked_examples_are_valid() {
    let dense = VectorType::dense(Elem::F32, 128).with_metric(Some("ip"));
    let bits = VectorType::binary(512, BitOrder::Unknown).with_metric(Some("jaccard"));
    let half = VectorType::dense(Elem::Bf16, 256);
    let sparse = VectorType {
        kind: Kind::Sparse,
        dim: 0,
        ..VectorType::dense(Elem::F32, 1)
    };
    for vector in [dense, bits, half, sparse] {
        SchemaBuilder::new()
            .id("id", DataType::Int64)
            .vector("vector", &vector)
            .unwrap()
            .finish()
            .unwrap();
    }
}

#[test]
fn repeated_names_and_second_ids_are_refused() {
    let twice = versioned(vec![
        Field::new("a", DataType::Int8, true),
        Field::new("a", DataType::Int8, true),
    ]);
    assert!(validate(&twice).unwrap_err().to_string().contains("`a`"));
    let ids = versioned(vec![
        field::id_field("a", DataType::Int64),
        field::id_field("b", DataType::Int64),
    ]);
    assert!(validate(&ids).unwrap_err().to_string().contains("2 id"));
}

#[test]
fn storage_must_fit_what_the_metadata_says() {
    let field = VectorType::dense(Elem::F32, 4).field("v").unwrap();
    let lying = Field::new("v", DataType::Float32, false).with_metadata(field.metadata().clone());
    let error = validate(&versioned(vec![lying])).unwrap_err();
    assert!(
        error.to_string().contains("dense vector of 4 x f32"),
        "{error}"
    );
}

#[test]
fn an_unknown_kind_makes_the_column_unrepresentable_not_the_schema_invalid() {
    let mut field = VectorType::dense(Elem::F32, 4).field("v").unwrap();
    let mut metadata = field.metadata().clone();
    metadata.insert(keys::KIND.to_owned(), "quantum".to_owned());
    field = field.with_metadata(metadata);
    validate(&versioned(vec![field.clone()])).unwrap();
    assert!(matches!(classify(&field), Column::Unrepresentable(why) if why.contains("quantum")));
}

#[test]
fn a_vector_whose_metadata_is_broken_is_refused() {
    for (key, value) in [
        (keys::DIM, None),
        (keys::KIND, None),
        (keys::ELEM, None),
        (keys::DIM, Some("x")),
        (keys::ELEM, Some("bit")),
        (keys::KIND, Some("binary")),
    ] {
        let field = VectorType::dense(Elem::F32, 4).field("v").unwrap();
        let mut metadata = field.metadata().clone();
        match value {
            Some(value) => metadata.insert(key.to_owned(), value.to_owned()),
            None => metadata.remove(key),
        };
        let error = validate(&versioned(vec![field.with_metadata(metadata)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{key} {value:?}");
        assert!(error.message().contains("column `v`"), "{error}");
    }
}

#[test]
fn vectors_inside_struct_arrays_are_checked_and_whole_columns_roles_refused() {
    let chunks = |inner: Field| {
        let members = vec![Field::new("text", DataType::Utf8, false), inner];
        let item = Field::new("item", DataType::Struct(members.into()), true);
        versioned(vec![Field::new(
            "chunks",
            DataType::List(Arc::new(item)),
            true,
        )])
    };
    let vector = VectorType::dense(Elem::F32, 4).field("emb").unwrap();
    validate(&chunks(vector.clone())).unwrap();
    let lying =
        Field::new("emb", DataType::Float32, false).with_metadata(vector.metadata().clone());
    assert!(
        validate(&chunks(lying))
            .unwrap_err()
            .message()
            .contains("`emb`")
    );
    let id = field::id_field("emb", DataType::Int64);
    assert!(
        validate(&chunks(id))
            .unwrap_err()
            .message()
            .contains("whole column")
    );
}

#[test]
fn bfloat16_elements_carry_their_name_in_every_kind() {
    for kind in [Kind::Dense, Kind::Sparse, Kind::Multi] {
        let vector = VectorType {
            kind,
            ..VectorType::dense(Elem::Bf16, 4)
        };
        let named = vector.field("v").unwrap();
        validate(&versioned(vec![named.clone()])).unwrap();
        let bare = named
            .clone()
            .with_data_type(without_extensions(named.data_type()));
        let error = validate(&versioned(vec![bare])).unwrap_err();
        assert!(error.message().contains("lance.bfloat16"), "{error}");
    }
}

fn without_extensions(data_type: &DataType) -> DataType {
    let bare = |f: &Field| Field::new("x", without_extensions(f.data_type()), true);
    match data_type {
        DataType::List(item) => DataType::List(Arc::new(bare(item))),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(Arc::new(bare(item)), *n),
        // Other names: children go by position.
        DataType::Struct(parts) => DataType::Struct(
            parts
                .iter()
                .enumerate()
                .map(|(i, f)| bare(f).with_name(format!("part{i}")))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[test]
fn children_of_a_sparse_vector_go_by_position() {
    let vector = VectorType {
        kind: Kind::Sparse,
        dim: 0,
        ..VectorType::dense(Elem::F32, 1)
    };
    let named = vector.field("v").unwrap();
    let other = named
        .clone()
        .with_data_type(without_extensions(named.data_type()));
    validate(&versioned(vec![other])).unwrap();
}

#[test]
fn many_columns_are_checked_in_no_time() {
    let fields = (0..50_000).map(|i| Field::new(i.to_string(), DataType::Int8, true));
    let start = std::time::Instant::now();
    validate(&versioned(fields.collect())).unwrap();
    assert!(start.elapsed().as_secs() < 2, "took {:?}", start.elapsed());
}

#[test]
fn a_second_dynamic_or_partition_column_is_refused() {
    for (role, data_type, extension) in [
        (Role::Dynamic, DataType::Utf8, Some(keys::JSON)),
        (Role::Partition, DataType::Utf8, None),
    ] {
        let column = |name: &str| {
            let field = Field::new(name, data_type.clone(), true);
            let field = match extension {
                Some(extension) => field::with_extension(field, extension),
                None => field,
            };
            let mut metadata = field.metadata().clone();
            metadata.insert(keys::ROLE.to_owned(), role.to_string());
            field.with_metadata(metadata)
        };
        validate(&versioned(vec![column("a")])).unwrap();
        let error = validate(&versioned(vec![column("a"), column("b")])).unwrap_err();
        assert!(error.message().contains(role.as_str()), "{error}");
    }
}
