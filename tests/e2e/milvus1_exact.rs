// SPDX-License-Identifier: Apache-2.0
//! Directories that real servers of Milvus 1.1 wrote arrive row for row and bit for bit, in files
//! and on a server, as h5py and the real client of Milvus 1.1 read them there.

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::{Value, json};

use crate::support::milvus1::{GOLDEN, Golden, copy_folder, state_of, stored};
use crate::support::{OldWorld, Space, milvusdm, run_python, set_mode, text};

/// Moves a directory; gives the receipt.
fn moved(space: &Space, from: &std::path::Path, sink: Value) -> Value {
    let task = json!({"source": {"plugin": "milvus1", "path": text(from)}, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    let args = ["run", &task, "--json"];
    milvusdm(space, &args).run().exits(0).json()
}

/// That every row is accounted for, and just the deleted ones did not come.
fn balances(golden: &Golden, report: &Value) {
    let ledger = &report["ledger"];
    let (written, deleted) = (golden.count(), golden.deleted);
    let wanted = json!({
        "found": written + deleted, "written": written, "deleted": deleted,
        "skipped": 0, "collapsed": 0, "rejected": 0, "lost": 0,
    });
    assert_eq!(*ledger, wanted, "{}", golden.name);
}

fn compare(how: &str, golden: &Golden, place: &str) {
    let description = text(golden.path().join("expected.json"));
    let printed = run_python(
        "compare_milvus1.py",
        &[how, &description, golden.part, place],
    );
    let (partitions, rows) = (golden.rows().len(), golden.count());
    let wanted = format!("compared {partitions} partitions, {rows} rows");
    assert_eq!(printed.trim(), wanted, "{}", golden.name);
}

/// Stored rows, index definitions and sizes on a server, against what the directory says.
fn holds(server: &Standin, golden: &Golden) {
    assert_eq!(stored(server), golden.rows(), "{}", golden.name);
    for (name, about) in golden.collections() {
        let found = server.collection(&name).expect("a collection");
        let params: Value = serde_json::from_str(&found.index_params).expect("parameters");
        let found = json!({
            "dimension": found.dimension, "index_file_size": found.index_file_size_mib,
            "metric": found.metric as i32 + 1, "type": found.index_type, "params": params,
        });
        let wanted = json!({
            "dimension": about["dimension"], "index_file_size": about["index_file_size"],
            "metric": about["metric_type_code"], "type": about["index"]["type_code"],
            "params": about["index"]["params"],
        });
        assert_eq!(found, wanted, "{}: {name}", golden.name);
    }
}

#[test]
fn every_golden_directory_arrives_in_hdf5_files_bit_for_bit_and_is_left_as_it_was() {
    for golden in &GOLDEN {
        let space = Space::new();
        let before = state_of(&golden.path());
        let sink = json!({"plugin": "hdf5", "path": "out/"});
        let report = moved(&space, &golden.path(), sink);
        assert!(before == state_of(&golden.path()), "{}", golden.name);
        balances(golden, &report);
        compare("h5", golden, &text(space.path("out")));
    }
}

#[test]
fn a_golden_directory_without_leave_to_write_arrives_as_well() {
    for golden in &GOLDEN {
        let space = Space::new();
        copy_folder(&golden.path(), &space.path("in"));
        for name in space.list("in").iter().rev() {
            let mode = if name.ends_with('/') { 0o555 } else { 0o444 };
            set_mode(&space.path("in").join(name), mode);
        }
        set_mode(&space.path("in"), 0o555);
        let before = state_of(&space.path("in"));
        let sink = json!({"plugin": "hdf5", "path": "out/"});
        balances(golden, &moved(&space, &space.path("in"), sink));
        assert!(before == state_of(&space.path("in")), "{}", golden.name);
        compare("h5", golden, &text(space.path("out")));
    }
}

#[test]
fn every_golden_directory_arrives_on_a_server_row_for_row_with_its_definitions() {
    for golden in &GOLDEN {
        let space = Space::new();
        let server = Standin::start(StandinOptions::default()).expect("a server");
        let before = state_of(&golden.path());
        let sink = json!({"plugin": "milvus1", "uri": server.uri()});
        let report = moved(&space, &golden.path(), sink);
        assert!(before == state_of(&golden.path()), "{}", golden.name);
        balances(golden, &report);
        holds(&server, golden);
    }
}

#[test]
fn every_golden_directory_goes_through_files_and_the_tasks_beside_them_to_a_server() {
    for golden in &GOLDEN {
        let world = OldWorld::new();
        world.export(golden.name, "'*'");
        for (_, task) in world.tasks_left() {
            world.run(&task).exits(0);
        }
        holds(&world.server, golden);
    }
}

#[test]
fn the_real_client_reads_from_the_server_what_the_directory_holds() {
    for golden in &GOLDEN {
        let space = Space::new();
        let server = Standin::start(StandinOptions::default()).expect("a server");
        let source = format!("milvus1:{}", text(golden.path()));
        let sink = format!("milvus1:{}", server.uri());
        let args = ["copy", &source, &sink];
        milvusdm(&space, &args).run().exits(0);
        compare("server", golden, &server.port().to_string());
    }
}
