// SPDX-License-Identifier: Apache-2.0
//! Peak memory is 64 MiB and what the task's `memory` says, whatever the size of the source.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use serde_json::json;

use crate::support::{Space, data, milvusdm, run_python, text};

/// What there is beside `memory`, in MiB.
const CONSTANT_MIB: u64 = 64;
/// The least that a task may ask for.
const MEMORY_MIB: u64 = 16;

/// A Faiss index of type Flat whose vectors are one hole: no disk is used.
fn sparse_flat(space: &Space, name: &str, rows: u64, dim: u32) -> PathBuf {
    let path = space.path(name);
    let mut file = File::create(&path).expect("a file of ours");
    file.write_all(&flat_header(rows, dim)).expect("a header");
    let end = file.stream_position().expect("a place") + rows * u64::from(dim) * 4;
    file.set_len(end).expect("a hole");
    path
}

fn flat_header(rows: u64, dim: u32) -> Vec<u8> {
    let dummy = (1i64 << 20).to_le_bytes();
    [
        &b"IxF2"[..],
        &dim.to_le_bytes(),
        &rows.to_le_bytes(),
        &dummy,
        &dummy,
        &[1],
        &1i32.to_le_bytes(),
        &(rows * u64::from(dim)).to_le_bytes(),
    ]
    .concat()
}

/// An IDMap over such a file, with all ids zero, which are part of the hole too.
fn sparse_idmap(space: &Space, name: &str, rows: u64, dim: u32) -> PathBuf {
    let path = space.path(name);
    let mut file = File::create(&path).expect("a file of ours");
    let mut outer = flat_header(rows, dim)[..37].to_vec();
    outer[..4].copy_from_slice(b"IxMp");
    file.write_all(&outer).expect("a header");
    file.write_all(&flat_header(rows, dim)).expect("a header");
    file.seek(SeekFrom::Current(
        i64::try_from(rows * u64::from(dim) * 4).expect("small"),
    ))
    .expect("a hole");
    file.write_all(&rows.to_le_bytes()).expect("a count");
    let end = file.stream_position().expect("a place") + rows * 8;
    file.set_len(end).expect("a hole");
    path
}

/// Moves a source to `null` and holds its peak against the promise.
fn stays_bounded(space: &Space, source: serde_json::Value, rows: u64) {
    let task =
        json!({"source": source, "sink": {"plugin": "null"}, "memory": format!("{MEMORY_MIB}MiB")});
    let task = text(space.write("task.yaml", task.to_string()));
    let outcome = milvusdm(space, &["run", &task, "--json"]).run().exits(0);
    let report = outcome.within_mib(CONSTANT_MIB + MEMORY_MIB).json();
    assert_eq!(report["ledger"]["written"], rows);
}

#[test]
fn a_flat_index_of_4_gib_is_moved_in_bounded_memory() {
    let space = Space::new();
    let rows = 8 << 20;
    let path = sparse_flat(&space, "big.index", rows, 128);
    stays_bounded(&space, json!({"plugin": "faiss", "path": text(path)}), rows);
}

#[test]
fn an_id_map_of_millions_is_not_loaded() {
    let space = Space::new();
    // The ids alone take 256 MiB.
    let rows = 32 << 20;
    let path = sparse_idmap(&space, "big.index", rows, 4);
    stays_bounded(&space, json!({"plugin": "faiss", "path": text(path)}), rows);
}

#[test]
fn a_64_gib_index_is_inspected_and_planned_without_reading_it() {
    let space = Space::new();
    let path = text(sparse_flat(&space, "huge.index", 67_108_864, 256));
    let outcome = milvusdm(&space, &["inspect", &format!("faiss:{path}")])
        .run()
        .exits(0);
    let outcome = outcome.within_mib(CONSTANT_MIB);
    assert!(outcome.wall_ms < 5_000, "{outcome}");
    let task = format!("source: {{plugin: faiss, path: {path:?}}}\nsink: {{plugin: \"null\"}}\n");
    let task = text(space.write("task.yaml", task));
    let outcome = milvusdm(&space, &["plan", &task])
        .run()
        .exits(0)
        .within_mib(CONSTANT_MIB);
    assert!(outcome.wall_ms < 5_000, "{outcome}");
}

#[test]
fn hdf5_of_every_storage_is_read_in_bounded_memory() {
    let space = Space::new();
    let code = "import h5py, numpy as np, sys\n\
        rows, dim = 1 << 20, 64\n\
        part = np.zeros((1 << 16, dim), 'f4')\n\
        for name, settings in (('contiguous', {}), ('gzip', dict(chunks=(4096, dim), compression='gzip', compression_opts=1))):\n\
        \x20   with h5py.File(f'{sys.argv[1]}/{name}.h5', 'w') as f:\n\
        \x20       d = f.create_dataset('embeddings', (rows, dim), 'f4', **settings)\n\
        \x20       for at in range(0, rows, len(part)): d[at:at + len(part)] = part\n";
    space.write("write.py", code);
    run_python(&text(space.path("write.py")), &[&text(space.root())]);
    for name in ["contiguous", "gzip"] {
        let path = text(space.path(&format!("{name}.h5")));
        stays_bounded(&space, json!({"plugin": "hdf5", "path": path}), 1 << 20);
    }
}

#[test]
fn writing_hdf5_takes_no_more_memory_than_promised() {
    let space = Space::new();
    for (name, settings) in [
        ("plain", json!({})),
        ("packed", json!({"compression": "gzip:1"})),
    ] {
        let mut sink = json!({"plugin": "hdf5", "path": format!("{name}.h5")});
        sink.as_object_mut()
            .expect("an object")
            .extend(settings.as_object().expect("an object").clone());
        let task = json!({
            "source": {"plugin": "random", "rows": 600_000, "dim": 128, "seed": 1},
            "sink": sink,
            "memory": format!("{MEMORY_MIB}MiB"),
        });
        let task = text(space.write("task.yaml", task.to_string()));
        let outcome = milvusdm(&space, &["run", &task]).run().exits(0);
        outcome.within_mib(CONSTANT_MIB + MEMORY_MIB);
    }
}

#[test]
fn wide_rows_and_many_splits_keep_the_bound_too() {
    let space = Space::new();
    // One row is 4 MiB, the most there is: a quarter of the least memory.
    let path = sparse_flat(&space, "wide.index", 64, 1 << 20);
    stays_bounded(&space, json!({"plugin": "faiss", "path": text(path)}), 64);
    let many: Vec<String> = (0..200)
        .map(|n| text(space.copy(&data("faiss/flat_l2.index"), &format!("many/{n:03}.index"))))
        .collect();
    assert_eq!(many.len(), 200);
    stays_bounded(
        &space,
        json!({"plugin": "faiss", "path": text(space.path("many"))}),
        200 * 100,
    );
}

#[test]
fn large_compressed_chunks_stay_within_the_memory_or_are_refused_with_what_they_need() {
    let space = Space::new();
    run_python("write_large_chunks.py", &[&text(space.path("chunks.h5"))]);
    let copy = |memory: &str| {
        let memory = format!("--memory={memory}");
        milvusdm(&space, &["copy", "hdf5:chunks.h5", "null:", &memory]).run()
    };
    let refused = copy("16MiB").exits(2);
    refused.says(&["beside the batches", "memory: ", "MiB` or more"]);
    copy("128MiB")
        .within_mib(CONSTANT_MIB + 128)
        .exits(0)
        .prints(&["262,144 found = 262,144 written"]);
}

#[test]
fn large_chunks_of_the_target_stay_within_the_memory_or_are_refused_with_what_they_need() {
    let space = Space::new();
    let copy = |memory: &str| {
        let target = "hdf5:out.h5?compression=gzip:1&shuffle=true&chunk_rows=30000";
        let memory = format!("--memory={memory}");
        milvusdm(&space, &["copy", "random:200000?dim=128", target, &memory]).run()
    };
    let refused = copy("16MiB").exits(2);
    refused.says(&["beside the batches", "`memory: ", "MiB` or more"]);
    copy("96MiB")
        .within_mib(CONSTANT_MIB + 96)
        .exits(0)
        .prints(&["200,000 found = 200,000 written"]);
}
