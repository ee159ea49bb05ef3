// SPDX-License-Identifier: Apache-2.0
//! Appending: old and new rows in one file, or the old file as it was.

mod common;

use std::path::Path;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use common::*;
use milvusdm_plugin_api::abi::WriterHandle;
use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType};
use milvusdm_plugin_api::{Mode, TargetSpec, WriteAt};
use serde_json::{Value, json};

fn dense(dim: u32) -> VectorType {
    VectorType::dense(Elem::F32, dim).with_metric(Some("l2"))
}

fn small(rows: usize) -> RecordBatch {
    batch(&dense(4), Some(&DataType::Int64), rows, false)
}

fn prepared(options: Value, spec: TargetSpec, schema: &SchemaRef) -> WriterHandle {
    sink(options).prepare(&request(schema, spec)).unwrap()
}

fn at(row: usize) -> WriteAt {
    WriteAt {
        split: 0,
        row: row as u64,
    }
}

fn assert_file(path: &Path, wanted: &RecordBatch) {
    let (_, batches) = read_one(json!({ "path": path }), 1 << 20).unwrap();
    assert_rows(&batches, wanted);
}

/// The rows of both, one after the other.
fn joined(first: &RecordBatch, second: &RecordBatch) -> RecordBatch {
    let columns = first.columns().iter().zip(second.columns());
    let join = |(a, b): (&ArrayRef, &ArrayRef)| {
        let (a, b) = (a.to_data(), b.to_data());
        let mut joined = arrow_data::transform::MutableArrayData::new(vec![&a, &b], false, 0);
        joined.try_extend(0, 0, a.len()).unwrap();
        joined.try_extend(1, 0, b.len()).unwrap();
        arrow_array::make_array(joined.freeze())
    };
    RecordBatch::try_new(first.schema(), columns.map(join).collect()).unwrap()
}

#[test]
fn appended_rows_follow_those_that_are_there() {
    for vector in [dense(6), VectorType::binary(13, BitOrder::Msb)] {
        let (old, new) = (
            batch(&vector, Some(&DataType::Utf8), 500, true),
            batch(&vector, Some(&DataType::Utf8), 30, true),
        );
        let both = joined(&old, &new);
        for (before, after, rows) in [
            (json!({}), json!({}), Some(30)),
            (
                json!({ "compression": "lzf", "chunk_rows": 33 }),
                json!({}),
                Some(30),
            ),
            (
                json!({}),
                json!({ "compression": "gzip", "chunk_rows": 64 }),
                None,
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.h5");
            let with = |mut options: Value| {
                options["path"] = json!(path);
                options
            };
            write(with(before), spec("c", None, None, Mode::Fail), &old, 50).unwrap();
            let spec = spec("c", None, rows, Mode::Append);
            let ack = write(with(after), spec, &new, 7).unwrap();
            assert_eq!((ack.rows_added, ack.rows_total), (Some(30), Some(530)));
            assert_file(&path, &both);
            assert_eq!(files(folder.path()), ["a.h5"]);
        }
    }
}

#[test]
fn appending_to_nothing_makes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let batch = small(5);
    let ack = write(
        json!({ "path": path }),
        spec("c", None, Some(5), Mode::Append),
        &batch,
        2,
    );
    assert_eq!(ack.unwrap().rows_total, Some(5));
    assert_file(&path, &batch);
}

#[test]
fn appending_what_does_not_fit_is_refused_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let bits = VectorType::binary(32, BitOrder::Msb);
    let int = Some(DataType::Int64);
    let cases = [
        (
            dense(4),
            dense(5),
            int.clone(),
            int.clone(),
            "dataset `embeddings`",
        ),
        (
            dense(4),
            VectorType::dense(Elem::F64, 4),
            int.clone(),
            int.clone(),
            "4 x float64",
        ),
        (
            dense(4),
            VectorType::dense(Elem::F32, 4).with_metric(Some("ip")),
            int.clone(),
            int.clone(),
            "metric",
        ),
        (
            bits.clone(),
            VectorType::binary(32, BitOrder::Lsb),
            int.clone(),
            int.clone(),
            "bit order",
        ),
        (
            bits.clone(),
            VectorType::dense(Elem::U8, 4),
            int.clone(),
            int.clone(),
            "binary 32 x bit",
        ),
        (
            dense(4),
            dense(4),
            int.clone(),
            Some(DataType::Utf8),
            "dataset `ids`",
        ),
        (dense(4), dense(4), None, int.clone(), "`/ids`"),
        (dense(4), dense(4), int.clone(), None, "for which no values"),
    ];
    for (old, new, old_id, new_id, why) in cases {
        let _ = std::fs::remove_file(&path);
        write_file(&path, &batch(&old, old_id.as_ref(), 3, false));
        let before = std::fs::read(&path).unwrap();
        let batch = batch(&new, new_id.as_ref(), 3, false);
        let request = request(&batch.schema(), spec("c", None, Some(3), Mode::Append));
        let sink = sink(json!({ "path": path }));
        let state = sink
            .check(std::slice::from_ref(&request))
            .unwrap()
            .remove(0);
        assert!(
            state.refusals.iter().any(|r| r.to_string().contains(why)),
            "{why}: {state:?}"
        );
        let error = sink.prepare(&request).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(files(folder.path()), ["a.h5"]);
    }
}

/// Its chunks would be decoded beside the task's memory.
#[test]
fn appending_to_chunks_that_are_too_large_is_refused_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    // Bytes of all datasets' chunks together count.
    for (i, (vectors, ids, why)) in [
        (1 << 22, 1 << 10, Some("67117056 bytes")),
        (1 << 20, 1 << 22, Some("largest: /ids")),
        (1 << 20, 1 << 20, None),
    ]
    .into_iter()
    .enumerate()
    {
        let path = made(
            folder.path(),
            &format!("{i}.h5"),
            &format!(
                "f.create_dataset('embeddings', data=np.ones((3, 4), 'f4'), maxshape=(None, 4), chunks=({vectors}, 4), compression=1)
f.create_dataset('ids', data=[1, 2, 3], maxshape=(None,), chunks=({ids},), compression=1)"
            ),
        );
        let batch = small(2);
        let request = request(&batch.schema(), spec("c", None, Some(2), Mode::Append));
        let sink = sink(json!({ "path": path }));
        let states = sink.check(std::slice::from_ref(&request)).unwrap();
        let refusals = &states[0].refusals;
        match why {
            Some(why) => {
                assert!(refusals[0].to_string().contains(why), "{refusals:?}");
                assert!(
                    refusals[0].to_string().contains("h5repack -l"),
                    "{refusals:?}"
                );
                let error = sink.prepare(&request).unwrap_err().to_string();
                assert!(error.contains(why), "{error}");
            }
            None => {
                assert!(refusals.is_empty(), "{refusals:?}");
                let spec = spec("c", None, Some(2), Mode::Append);
                let ack = write(json!({ "path": path }), spec, &batch, 2).unwrap();
                assert_eq!(ack.rows_total, Some(5));
            }
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_appended_to_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let batch = small(3);
    write_file(&path, &batch);
    let spec = spec("c", None, Some(3), Mode::Append);
    let writer = prepared(json!({ "path": path }), spec, &batch.schema());
    writer.write(at(0), batch.clone()).unwrap();
    std::fs::write(&path, "theirs").unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("changed"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
}
