// SPDX-License-Identifier: Apache-2.0
//! A target appears whole or not at all, in every mode; rows find their place in any order.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, SchemaRef};
use common::*;
use milvusdm_plugin_api::abi::WriterHandle;
use milvusdm_plugin_api::model::{Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{ErrorKind, HostCalls, LogLevel, Mode, Services, TargetSpec, WriteAt};
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

#[test]
fn what_the_options_allow_is_said() {
    let capabilities = sink(json!({ "path": "a" })).capabilities().unwrap();
    assert!(capabilities.addressed_writes);
    assert_eq!(capabilities.parallel_writers, Some(1));
    assert!(capabilities.transactional_publish && capabilities.partitions.supported);
    for options in [
        json!({"path": "a", "compression": "lzf"}),
        json!({"path": "a", "chunk_rows": 9}),
    ] {
        let capabilities = sink(options).capabilities().unwrap();
        assert!(!capabilities.addressed_writes);
    }
}

#[test]
fn rows_find_their_place_in_any_order_from_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, piece) = (20_000, 613);
    let batch = batch(&dense(31), Some(&DataType::Utf8), rows, true);
    let spec = |mode| spec("c", None, Some(rows as u64), mode);
    let ordered = folder.path().join("ordered.h5");
    write(json!({ "path": ordered }), spec(Mode::Fail), &batch, rows).unwrap();
    let mixed = folder.path().join("mixed.h5");
    let writer = prepared(json!({ "path": mixed }), spec(Mode::Fail), &batch.schema());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (writer, batch) = (&writer, &batch);
            scope.spawn(move || {
                let starts: Vec<usize> = (0..rows).step_by(piece).collect();
                for start in starts.into_iter().rev().filter(|s| s / piece % 4 == thread) {
                    let part = batch.slice(start, piece.min(rows - start));
                    // Some come twice, as after a retry.
                    for _ in 0..1 + start % 2 {
                        writer.write(at(start), part.clone()).unwrap();
                    }
                }
            });
        }
    });
    writer.flush().unwrap();
    assert_eq!(writer.finish().unwrap().rows_added, Some(rows as u64));
    assert!(std::fs::read(&ordered).unwrap() == std::fs::read(&mixed).unwrap());
    assert_file(&mixed, &batch);
}

#[test]
fn missing_rows_and_rows_too_many_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let options = json!({ "path": folder.path() });
    let batch = small(100);
    let spec = spec("c", None, Some(100), Mode::Fail);
    let writer = prepared(options.clone(), spec.clone(), &batch.schema());
    writer.write(at(0), batch.slice(0, 40)).unwrap();
    writer.write(at(41), batch.slice(41, 59)).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("rows 40 to 40 of 100 never came"), "{error}");
    assert!(error.contains("_default.h5"), "{error}");
    assert_eq!(files(folder.path()), [""; 0]);
    let writer = prepared(options, spec, &batch.schema());
    let error = writer
        .write(at(90), batch.slice(0, 11))
        .unwrap_err()
        .to_string();
    assert!(error.contains("11 rows from row 90"), "{error}");
    assert!(writer.write(at(usize::MAX), batch.slice(0, 2)).is_err());
}

#[test]
fn nothing_is_left_of_a_target_that_was_not_finished() {
    for storage in [
        json!({}),
        json!({ "compression": "gzip", "chunk_rows": 10 }),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = storage;
        options["path"] = json!(folder.path().join("out/deep"));
        let batch = batch(&dense(4), Some(&DataType::Utf8), 100, true);
        let spec = spec("c", Some("p"), Some(100), Mode::Fail);
        for is_aborted in [true, false] {
            let writer = prepared(options.clone(), spec.clone(), &batch.schema());
            writer.write(at(0), batch.clone()).unwrap();
            let left = files(folder.path());
            assert!(left.iter().any(|f| f.ends_with(".partial")), "{left:?}");
            assert!(!left.iter().any(|f| f.ends_with(".h5")), "{left:?}");
            // A file in the making is no file to read.
            let reading = read_error(json!({ "path": folder.path() }));
            assert!(reading.contains("no HDF5 file"), "{reading}");
            let pattern = folder.path().join("out/deep/c/*");
            assert!(read_error(json!({ "path": pattern })).contains("no file matches"));
            if is_aborted {
                writer.abort().unwrap();
                writer.abort().unwrap();
                assert!(writer.write(at(0), batch.clone()).is_err());
                assert!(writer.finish().is_err());
            }
            drop(writer);
            assert_eq!(files(folder.path()), [""; 0]);
        }
    }
}

#[test]
fn a_finished_writer_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let batch = small(10);
    let spec = spec("c", None, Some(10), Mode::Fail);
    let writer = prepared(json!({ "path": path }), spec, &batch.schema());
    writer.write(at(0), batch.clone()).unwrap();
    writer.finish().unwrap();
    assert!(writer.write(at(0), batch.clone()).is_err());
    assert!(writer.flush().is_err());
    assert!(writer.finish().is_err());
    writer.abort().unwrap();
    drop(writer);
    assert_file(&path, &batch);
}

#[test]
fn an_existing_target_is_seen_and_refused_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let (old, new) = (small(7), small(12));
    write_file(&path, &old);
    let options = json!({ "path": path });
    let spec = |mode| spec("c", None, Some(12), mode);
    for mode in [Mode::Fail, Mode::Skip, Mode::Overwrite, Mode::Append] {
        let sink = sink(options.clone());
        let state = sink
            .check(&[request(&new.schema(), spec(mode))])
            .unwrap()
            .remove(0);
        assert!(state.exists);
        assert_eq!(state.rows, Some(7));
        assert_eq!(state.refusals, []);
        assert!(state.needs_bytes >= 12 * 24 && state.free_bytes > Some(0));
    }
    for mode in [Mode::Fail, Mode::Skip] {
        let error = sink(options.clone()).prepare(&request(&new.schema(), spec(mode)));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Exists);
    }
    let writer = prepared(options.clone(), spec(Mode::Overwrite), &new.schema());
    writer.write(at(0), new.clone()).unwrap();
    assert_file(&path, &old);
    drop(writer);
    assert_file(&path, &old);
    write(options, spec(Mode::Overwrite), &new, 5).unwrap();
    assert_file(&path, &new);
    assert_eq!(files(folder.path()), ["a.h5"]);
}

#[test]
fn a_target_that_appears_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let batch = small(3);
    let spec = spec("c", None, Some(3), Mode::Fail);
    let writer = prepared(json!({ "path": path }), spec, &batch.schema());
    writer.write(at(0), batch.clone()).unwrap();
    std::fs::write(&path, "theirs").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    assert_eq!(files(folder.path()), ["a.h5"]);
}

#[test]
fn two_runs_do_not_write_one_target_and_a_killed_one_is_cleaned_up_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let left = folder.path().join(".a.h5.0123abcd.partial");
    std::fs::write(&left, "half").unwrap();
    let batch = small(3);
    for (options, rows) in [
        (json!({ "path": path }), Some(3)),
        (json!({ "path": path, "compression": "gzip" }), None),
    ] {
        let spec = spec("c", None, rows, Mode::Overwrite);
        let writer = prepared(options.clone(), spec.clone(), &batch.schema());
        assert!(!left.exists());
        writer.write(at(0), batch.clone()).unwrap();
        let error = sink(options)
            .prepare(&request(&batch.schema(), spec))
            .unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
        writer.finish().unwrap();
        assert_file(&path, &batch);
    }
}

#[test]
fn datasets_that_meet_in_one_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let schema = small(1).schema();
    let target =
        |collection, partition| request(&schema, spec(collection, partition, None, Mode::Fail));
    let check = |path: &str, targets: &[_]| {
        sink(json!({ "path": folder.path().join(path) }))
            .check(targets)
            .unwrap_err()
    };
    let error = check("a.h5", &[target("a", None), target("b", None)]);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("2 datasets"), "{error}");
    let error = check("out", &[target("a", None), target("a", Some("_default"))]);
    assert!(
        error.to_string().contains("`a` and `a/_default`"),
        "{error}"
    );
    let sink = sink(json!({ "path": folder.path().join("out") }));
    sink.check(&[target("a", None), target("A", None), target("a", Some("x"))])
        .unwrap();
}

#[test]
fn names_that_no_file_can_have_are_kept_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let batch = small(2);
    let names = [
        ("../up", Some("a/b")),
        (".hidden", None),
        ("日本", Some("")),
        ("x", Some(&*"y".repeat(400))),
    ];
    for (collection, partition) in names {
        let spec = spec(collection, partition, Some(2), Mode::Fail);
        write(
            json!({ "path": folder.path().join("out") }),
            spec,
            &batch,
            2,
        )
        .unwrap();
    }
    assert!(files(folder.path()).iter().all(|f| f.starts_with("out")));
    let all = read_all(json!({ "path": folder.path() }), 1 << 20).unwrap();
    let mut found: Vec<_> = all
        .iter()
        .map(|(d, _)| {
            (
                d.descriptor.collection.as_str(),
                d.descriptor.partition.as_deref(),
            )
        })
        .collect();
    let mut names = names.to_vec();
    found.sort();
    names.sort();
    assert_eq!(found, names);
}

#[test]
fn columns_that_have_no_form_are_refused_beforehand() {
    let with = |name: &str, data_type: DataType| {
        let builder = SchemaBuilder::new().vector("v", &dense(2)).unwrap();
        builder
            .field(Field::new(name, data_type, false))
            .finish()
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    for (schema, why) in [
        (with("day", DataType::Date32), "`day` (Date32)"),
        (with("a/b", DataType::Int64), "`a/b`"),
        (with("ids", DataType::Int64), "`ids`"),
        (
            SchemaBuilder::new()
                .id("i", DataType::Int64)
                .finish()
                .unwrap(),
            "0 are to be written",
        ),
    ] {
        let sink = sink(json!({ "path": folder.path() }));
        let request = request(&schema, spec("c", None, None, Mode::Fail));
        let state = sink
            .check(std::slice::from_ref(&request))
            .unwrap()
            .remove(0);
        assert!(state.refusals[0].to_string().contains(why), "{state:?}");
        assert!(
            sink.prepare(&request)
                .unwrap_err()
                .to_string()
                .contains(why)
        );
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn values_that_have_no_form_stop_the_write_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let schema = SchemaBuilder::new()
        .vector("v", &VectorType::dense(Elem::F32, 1))
        .unwrap()
        .field(Field::new("n", DataType::Int64, true))
        .field(Field::new("t", DataType::Utf8, false))
        .finish()
        .unwrap();
    let item = Arc::new(Elem::F32.arrow_field().unwrap());
    let values = Arc::new(Float32Array::from(vec![1.0, 2.0]));
    let vectors: ArrayRef = Arc::new(arrow_array::FixedSizeListArray::new(item, 1, values, None));
    let batch = |n: Vec<Option<i64>>, t: Vec<&str>| {
        let (n, t) = (
            Arc::new(Int64Array::from(n)),
            Arc::new(StringArray::from(t)),
        );
        RecordBatch::try_new(schema.clone(), vec![vectors.clone(), n, t]).unwrap()
    };
    for rows in [Some(12), None] {
        let spec = spec("c", None, rows, Mode::Fail);
        let writer = prepared(json!({ "path": folder.path() }), spec, &schema);
        writer
            .write(at(0), batch(vec![Some(1), Some(2)], vec!["a", "b"]))
            .unwrap();
        let error = writer
            .write(at(2), batch(vec![Some(1), None], vec!["a", "b"]))
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("column `n` is null") && text.contains("row: 3"),
            "{text}"
        );
        let error = writer
            .write(at(2), batch(vec![Some(1), Some(2)], vec!["a", "b\0c"]))
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("column `t` holds a NUL") && text.contains("row: 3"),
            "{text}"
        );
        assert!(text.contains("drop"), "{text}");
    }
}

#[test]
fn what_is_in_the_way_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("file"), "x").unwrap();
    std::fs::create_dir(path("d.h5")).unwrap();
    std::os::unix::fs::symlink(path("gone.h5"), path("link.h5")).unwrap();
    for (name, why) in [
        ("file", "a file is in the way"),
        ("d.h5", "a folder is in the way"),
        ("link.h5", "nowhere"),
    ] {
        let sink = sink(json!({ "path": path(name) }));
        let request = request(&small(1).schema(), spec("c", None, None, Mode::Overwrite));
        let state = sink
            .check(std::slice::from_ref(&request))
            .unwrap()
            .remove(0);
        assert!(
            state.refusals.iter().any(|r| r.to_string().contains(why)),
            "{state:?}"
        );
        assert!(
            sink.prepare(&request)
                .unwrap_err()
                .to_string()
                .contains(why)
        );
    }
}

#[test]
fn a_link_stays_a_link_to_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.h5"), folder.path().join("link.h5"));
    write_file(&real, &small(2));
    std::os::unix::fs::symlink("real.h5", &link).unwrap();
    write(
        json!({ "path": link }),
        spec("c", None, Some(9), Mode::Overwrite),
        &small(9),
        9,
    )
    .unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_file(&real, &small(9));
}

#[test]
fn a_stopped_run_stops() {
    #[derive(Default)]
    struct Stopping(AtomicBool);
    impl HostCalls for Stopping {
        fn log(&self, _: LogLevel, _: &str) {}
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
        fn mask_secret(&self, _: &str) {}
    }
    let folder = tempfile::tempdir().unwrap();
    let host = Arc::new(Stopping::default());
    let batch = small(4);
    let options = json!({ "path": folder.path().join("a.h5") });
    let sink = plugin()
        .open_sink(&options, Services::new(host.clone()))
        .unwrap();
    let writer = sink
        .prepare(&request(
            &batch.schema(),
            spec("c", None, Some(4), Mode::Fail),
        ))
        .unwrap();
    writer.write(at(0), batch.clone()).unwrap();
    host.0.store(true, Ordering::Relaxed);
    assert_eq!(
        writer.write(at(0), batch.clone()).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Cancelled);
    drop(writer);
    assert_eq!(files(folder.path()), [""; 0]);
}
