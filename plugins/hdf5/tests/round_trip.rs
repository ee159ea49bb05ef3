// SPDX-License-Identifier: Apache-2.0
//! What is written reads back: every element, id and column type, in every form of storage.

mod common;

use std::path::Path;

use arrow_schema::DataType;
use common::*;
use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType};
use milvusdm_plugin_api::{ErrorKind, Mode, ReadRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

fn elements() -> Vec<VectorType> {
    let mut all: Vec<VectorType> = [Elem::F32, Elem::F64, Elem::F16, Elem::I8, Elem::U8]
        .into_iter()
        .map(|elem| VectorType::dense(elem, 5).with_metric(Some("l2")))
        .collect();
    for order in [BitOrder::Msb, BitOrder::Lsb, BitOrder::Unknown] {
        let dim = if order == BitOrder::Unknown { 16 } else { 19 };
        all.push(VectorType::binary(dim, order).with_metric(Some("hamming")));
    }
    all
}

fn storages() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "chunk_rows": 7 }),
        json!({ "compression": "gzip" }),
        json!({ "compression": "gzip:9", "shuffle": true, "chunk_rows": 16 }),
        json!({ "compression": "lzf", "chunk_rows": 100 }),
        json!({ "compression": "lzf", "shuffle": true, "chunk_rows": 1 }),
    ]
}

fn with_path(mut options: Value, path: &std::path::Path) -> Value {
    options["path"] = json!(path);
    options
}

#[test]
fn every_element_and_id_type_reads_back_from_every_storage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let id_types = [
        None,
        Some(DataType::Int64),
        Some(DataType::UInt64),
        Some(DataType::Utf8),
    ];
    for (v, vector) in elements().iter().enumerate() {
        for (s, storage) in storages().into_iter().enumerate() {
            // Every pair of vector and id, of storage and id, of id and exactness.
            let id = &id_types[(v + s) % id_types.len()];
            let batch = batch(vector, id.as_ref(), 50, true);
            for is_exact in [true, false] {
                let spec = spec("c", Some("p"), is_exact.then_some(50), Mode::Overwrite);
                let ack = write(with_path(storage.clone(), &path), spec, &batch, 17).unwrap();
                assert_eq!((ack.rows_added, ack.rows_total), (Some(50), Some(50)));
                assert_eq!(ack.bytes, Some(path.metadata().unwrap().len()));
                for batch_bytes in [1, 300, 1 << 20] {
                    let (dataset, batches) =
                        read_one(json!({ "path": path }), batch_bytes).unwrap();
                    assert_eq!(dataset.schema, batch.schema(), "{vector:?} {storage}");
                    assert_eq!(dataset.descriptor.full_name(), "c/p");
                    assert_rows(&batches, &batch);
                }
            }
        }
    }
    assert_eq!(files(folder.path()), ["a.h5"]);
}

#[test]
fn a_vector_of_one_element_or_bit_keeps_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (i, vector) in [
        VectorType::dense(Elem::U8, 1),
        VectorType::binary(1, BitOrder::Msb),
        VectorType::binary(8, BitOrder::Unknown),
        VectorType::dense(Elem::U8, 8).with_metric(Some("hamming")),
    ]
    .iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{i}.h5"));
        let batch = batch(vector, None, 9, false);
        write_file(&path, &batch);
        let (dataset, batches) = read_one(json!({ "path": path }), 1 << 20).unwrap();
        assert_eq!(dataset.schema, batch.schema());
        assert_rows(&batches, &batch);
    }
}

#[test]
fn no_rows_are_rows_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    for (storage, rows) in [
        (json!({}), Some(0)),
        (json!({}), None),
        (json!({"compression": "gzip"}), None),
    ] {
        let batch = batch(
            &VectorType::dense(Elem::F32, 4),
            Some(&DataType::Utf8),
            0,
            true,
        );
        let spec = spec("c", None, rows, Mode::Overwrite);
        let ack = write(with_path(storage, &path), spec, &batch, 1).unwrap();
        assert_eq!(ack.rows_total, Some(0));
        let (dataset, batches) = read_one(json!({ "path": path }), 1 << 20).unwrap();
        assert_eq!(dataset.schema, batch.schema());
        assert!(batches.is_empty());
    }
}

#[test]
fn a_metric_keeps_its_argument_and_an_unknown_one_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (metric, argument)) in [("lp", Some(1.5)), ("native:faiss:99", None)]
        .into_iter()
        .enumerate()
    {
        let mut vector = VectorType::dense(Elem::F32, 2).with_metric(Some(metric));
        vector.metric_arg = argument;
        let path = folder.path().join(format!("{i}.h5"));
        let batch = batch(&vector, None, 2, false);
        write_file(&path, &batch);
        let (dataset, _) = read_one(json!({ "path": path }), 1 << 20).unwrap();
        assert_eq!(dataset.schema, batch.schema());
    }
}

#[test]
fn other_dataset_names_read_back_under_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let batch = batch(
        &VectorType::dense(Elem::F32, 3),
        Some(&DataType::Int64),
        20,
        true,
    );
    let options = json!({ "path": path, "vectors": "train", "ids": "kéys" });
    write(options, spec("c", None, Some(20), Mode::Fail), &batch, 20).unwrap();
    let options = json!({ "path": path, "vectors": "/train", "ids": "kéys" });
    let (_, batches) = read_one(options, 1 << 20).unwrap();
    assert_rows(&batches, &batch);
}

#[test]
fn equal_data_give_equal_bytes_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let batch = batch(
        &VectorType::dense(Elem::F32, 9),
        Some(&DataType::Utf8),
        3000,
        true,
    );
    for (storage, rows) in [
        (json!({}), Some(3000)),
        (json!({}), None),
        (json!({ "compression": "gzip", "chunk_rows": 128 }), None),
    ] {
        let mut seen: Option<Vec<u8>> = None;
        for piece in [3000, 1, 77, 128, 1000] {
            let path = folder.path().join("a.h5");
            let options = with_path(storage.clone(), &path);
            write(
                options,
                spec("c", Some("p"), rows, Mode::Overwrite),
                &batch,
                piece,
            )
            .unwrap();
            let bytes = std::fs::read(&path).unwrap();
            match &seen {
                None => seen = Some(bytes),
                Some(first) => assert!(*first == bytes, "{storage} in pieces of {piece}"),
            }
        }
    }
}

/// Rows of two versions of a file would pass for one.
#[test]
fn a_file_that_is_written_while_it_is_read_is_refused() {
    use std::os::unix::fs::FileExt;
    let batch = batch(&VectorType::dense(Elem::F32, 8), None, 100, true);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 2000,
        max_batch_rows: None,
    };
    let file = |path: &Path| {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).open(path).unwrap()
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&Path), bool);
    let changes: [Change<'_>; 4] = [
        (
            "overwritten",
            &|path| file(path).write_all_at(b"x", 3000).unwrap(),
            false,
        ),
        (
            "longer",
            &|path| {
                let length = std::fs::metadata(path).unwrap().len();
                file(path).set_len(length + 1).unwrap();
            },
            false,
        ),
        ("cut", &|path| file(path).set_len(1000).unwrap(), false),
        (
            "replaced",
            &|path| {
                let other = path.with_extension("other");
                std::fs::write(&other, "theirs").unwrap();
                std::fs::rename(other, path).unwrap();
            },
            true,
        ),
    ];
    for storage in [
        json!({}),
        json!({ "compression": "gzip", "chunk_rows": 10 }),
    ] {
        for (what, change, is_read_on) in &changes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.h5");
            let spec = spec("c", None, Some(100), Mode::Fail);
            write(with_path(storage.clone(), &path), spec, &batch, 100).unwrap();
            // Well apart from what changes it, for file systems whose clocks are coarse.
            let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
            file(&path).set_modified(before).unwrap();
            let source = source(json!({ "path": path })).unwrap();
            let dataset = source.datasets().unwrap().remove(0);
            let split = source.splits(&dataset.key).unwrap().remove(0);
            let mut reader = source.read(&dataset, &split, &request).unwrap();
            let mut rows = reader.next().unwrap().unwrap().num_rows();
            assert!(rows < 100);
            change(&path);
            let mut next = reader.next();
            if *is_read_on {
                while let Ok(Some(batch)) = &next {
                    rows += batch.num_rows();
                    next = reader.next();
                }
                assert_eq!((next.unwrap(), rows), (None, 100), "{what}");
            } else {
                let error = next.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Format, "{what}: {error}");
                assert!(error.to_string().contains("changed while"), "{error}");
            }
        }
    }
}

fn any_vector() -> impl Strategy<Value = VectorType> {
    let dense = (0usize..5, 1u32..40).prop_map(|(elem, dim)| {
        VectorType::dense(
            [Elem::F32, Elem::F64, Elem::F16, Elem::I8, Elem::U8][elem],
            dim,
        )
    });
    let binary = (1u32..100, any::<bool>()).prop_map(|(dim, is_msb)| {
        VectorType::binary(dim, if is_msb { BitOrder::Msb } else { BitOrder::Lsb })
    });
    prop_oneof![dense, binary]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_rows_read_back(
        vector in any_vector(),
        id in 0usize..4,
        rows in 0usize..300,
        piece in 1usize..200,
        batch_bytes in 1u64..20_000,
        storage in 0usize..6,
        is_exact: bool,
        has_scalars: bool,
        names in ("\\PC{1,20}", proptest::option::of("\\PC{0,20}")),
    ) {
        let id = [None, Some(DataType::Int64), Some(DataType::UInt64), Some(DataType::Utf8)][id].clone();
        let batch = batch(&vector, id.as_ref(), rows, has_scalars);
        let folder = tempfile::tempdir().unwrap();
        let options = with_path(storages()[storage].clone(), folder.path());
        let spec = spec(&names.0, names.1.as_deref(), is_exact.then_some(rows as u64), Mode::Fail);
        let full_name = spec.full_name();
        write(options, spec, &batch, piece).unwrap();
        let (dataset, batches) = read_one(json!({ "path": folder.path() }), batch_bytes).unwrap();
        prop_assert_eq!(dataset.schema, batch.schema());
        prop_assert_eq!(dataset.descriptor.full_name(), full_name);
        assert_rows(&batches, &batch);
    }
}
