// SPDX-License-Identifier: Apache-2.0
//! The ways from files to a server, from a server to files, and from one server to another: rows,
//! ids and partitions come through all of them.

use std::collections::BTreeMap;

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::{Value, json};

use crate::support::milvus1::{GOLDEN, Golden, Rows, stored};
use crate::support::{Space, milvusdm, run_python, text};

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

fn golden(name: &str) -> &'static Golden {
    let found = GOLDEN.iter().find(|golden| golden.name == name);
    found.expect("a golden directory")
}

/// Runs a task; gives its ledger.
fn moved(space: &Space, source: &Value, sink: &Value) -> Value {
    let task = json!({"source": source, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    let outcome = milvusdm(space, &["run", &task, "--json"]).run().exits(0);
    outcome.json()["ledger"].clone()
}

/// A server with everything that a golden directory holds.
fn filled(space: &Space, golden: &Golden) -> Standin {
    let server = server();
    let path = text(golden.path());
    moved(
        space,
        &json!({"plugin": "milvus1", "path": path}),
        &json!({"plugin": "milvus1", "uri": server.uri()}),
    );
    server
}

/// Without the default partitions that have no rows: every collection on a server has one.
fn rows_only(mut all: BTreeMap<String, Rows>) -> BTreeMap<String, Rows> {
    all.retain(|name, rows| !name.ends_with("/_default") || !rows.is_empty());
    all
}

#[test]
fn a_directory_goes_through_hdf5_files_to_a_server_with_all_rows_ids_and_partitions() {
    for golden in &GOLDEN {
        let space = Space::new();
        let server = server();
        let path = text(golden.path());
        let files = json!({"plugin": "hdf5", "path": "out/"});
        moved(&space, &json!({"plugin": "milvus1", "path": path}), &files);
        let ledger = moved(
            &space,
            &files,
            &json!({"plugin": "milvus1", "uri": server.uri()}),
        );
        assert_eq!(ledger["written"], golden.count(), "{}", golden.name);
        assert_eq!(ledger["found"], golden.count(), "{}", golden.name);
        assert_eq!(stored(&server), golden.rows(), "{}", golden.name);
    }
}

#[test]
fn a_running_server_goes_into_hdf5_files_bit_for_bit() {
    for golden in &GOLDEN {
        let space = Space::new();
        let from = filled(&space, golden);
        let ledger = moved(
            &space,
            &json!({"plugin": "milvus1", "uri": from.uri()}),
            &json!({"plugin": "hdf5", "path": "out/"}),
        );
        assert_eq!(ledger["written"], golden.count(), "{}", golden.name);
        let description = text(golden.path().join("expected.json"));
        let out = text(space.path("out"));
        let printed = run_python(
            "compare_milvus1.py",
            &["h5", &description, golden.part, &out],
        );
        let wanted = format!("{} rows", golden.count());
        assert!(printed.contains(&wanted), "{}: {printed}", golden.name);
    }
}

#[test]
fn a_running_server_goes_into_another_with_its_definitions() {
    for golden in &GOLDEN {
        let space = Space::new();
        let (from, to) = (filled(&space, golden), server());
        let ledger = moved(
            &space,
            &json!({"plugin": "milvus1", "uri": from.uri()}),
            &json!({"plugin": "milvus1", "uri": to.uri()}),
        );
        assert_eq!(ledger["written"], golden.count(), "{}", golden.name);
        assert_eq!(stored(&to), golden.rows(), "{}", golden.name);
        let definitions = |server: &Standin| -> Vec<_> {
            let mut all: Vec<_> = server.contents();
            all.sort_by(|a, b| a.name.cmp(&b.name));
            let about = all.into_iter().map(|c| {
                let index = (c.index_type, c.index_params);
                (c.name, c.dimension, c.index_file_size_mib, c.metric, index)
            });
            about.collect()
        };
        assert_eq!(definitions(&to), definitions(&from), "{}", golden.name);
    }
}

#[test]
fn only_what_the_task_selects_is_moved_and_under_the_names_it_gives() {
    let space = Space::new();
    let (golden, to) = (golden("partitions"), server());
    let task = json!({
        "source": {"plugin": "milvus1", "path": text(golden.path())},
        "sink": {"plugin": "milvus1", "uri": to.uri()},
        "select": {"include": ["parts_*"], "exclude": ["parts_user/p1"]},
        "map": [{"from": "parts_user", "to": "users/{partition}"}, {"from": "*", "to": "more_{collection}"}],
    });
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(&space, &["run", &task]).run().exits(0);
    let mut wanted = BTreeMap::new();
    for (name, rows) in golden.rows() {
        match name.split_once('/').expect("two names") {
            ("parts_user", "p1") | ("second", _) => None,
            ("parts_user", tag) => wanted.insert(format!("users/{tag}"), rows),
            (name, tag) => wanted.insert(format!("more_{name}/{tag}"), rows),
        };
    }
    assert_eq!(rows_only(stored(&to)), wanted);
}
