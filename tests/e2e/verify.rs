// SPDX-License-Identifier: Apache-2.0
//! `verify`: what arrived is found equal, and every way in which a target can differ is found and
//! named.

use std::path::Path;
use std::time::{Duration, Instant};

use milvusdm_standin::{Standin, StandinOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::milvus1::GOLDEN;
use crate::support::{OldWorld, Outcome, Space, data, milvusdm, run_python, text};

/// A Faiss file with ids of its own.
const CATALOG: &str = "faiss/ivf8_flat_ids.index";

fn golden(path: &str) -> Value {
    json!({"plugin": "faiss", "path": text(data(path))})
}

fn to_file() -> Value {
    json!({"plugin": "hdf5", "path": "out.h5"})
}

/// Runs a task, which stays in the space for `verify`.
#[track_caller]
fn moved(space: &Space, source: &Value, sink: &Value) {
    let task = json!({"source": source, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(space, &["run", &task]).run().exits(0);
}

fn verify(space: &Space, more: &[&str]) -> Outcome {
    let task = text(space.path("task.yaml"));
    let mut args = vec!["verify", &task];
    args.extend(more);
    milvusdm(space, &args).run()
}

/// A file as it was written, and its source.
fn written(path: &str) -> Space {
    let space = Space::new();
    moved(&space, &golden(path), &to_file());
    space
}

fn change(space: &Space, args: &[&str]) {
    let file = text(space.path("out.h5"));
    let mut all = vec![file.as_str()];
    all.extend(args);
    run_python("change_h5.py", &all);
}

/// The ids at these places of a file.
fn ids(file: &Path, rows: &[usize]) -> Vec<String> {
    let found = crate::support::read_h5(file);
    let ids = &found["datasets"]["ids"]["values"];
    rows.iter().map(|row| ids[*row].to_string()).collect()
}

/// The counts and the named rows of one kind of difference.
#[track_caller]
fn found(outcome: Outcome, what: &str) -> (u64, Vec<String>) {
    let report = outcome.exits(1).json();
    let target = &report["targets"][0];
    assert_eq!(target["equal"], false, "{report:#}");
    for other in ["missing", "extra", "changed", "doubled"] {
        let is_other = other != what && target[other] != 0;
        assert!(!is_other, "{other} beside {what}: {report:#}");
    }
    let examples = target["examples"].as_array().expect("examples").iter();
    let rows = examples.filter(|row| row["what"] == what);
    let rows = rows.map(|row| row["row"].as_str().expect("a row").to_owned());
    (target[what].as_u64().expect("a count"), rows.collect())
}

#[test]
fn a_file_that_holds_its_source_is_equal() {
    for path in [
        CATALOG,
        "faiss/flat_special_values.index",
        "faiss/bflat.index",
    ] {
        let space = written(path);
        let report = verify(&space, &["--json"]).exits(0).json();
        let target = &report["targets"][0];
        assert_eq!(target["equal"], true, "{path}: {report:#}");
        assert_eq!(target["rows_source"], target["rows_target"], "{report:#}");
        assert_eq!(target["sums_source"], target["sums_target"], "{report:#}");
        verify(&space, &[]).exits(0).prints(&["equal:", "Verified"]);
    }
}

#[test]
fn every_golden_directory_is_equal_to_the_files_made_of_it() {
    for golden in GOLDEN {
        let space = Space::new();
        let source = json!({"plugin": "milvus1", "path": text(golden.path())});
        moved(&space, &source, &json!({"plugin": "hdf5", "path": "out/"}));
        let report = verify(&space, &["--json"]).exits(0).json();
        let rows = report["targets"].as_array().expect("targets").iter();
        let rows: u64 = rows.map(|t| t["rows_target"].as_u64().expect("rows")).sum();
        assert_eq!(rows, golden.count(), "{}: {report:#}", golden.name);
    }
}

#[test]
fn golden_directories_are_equal_to_what_a_server_took() {
    for name in ["float_basic", "partitions", "binary"] {
        let (space, server) = (Space::new(), server());
        let source = json!({"plugin": "milvus1", "path": text(data("milvus1/golden").join(name))});
        moved(&space, &source, &to_server(&server));
        let report = verify(&space, &["--json"]).exits(0).json();
        for target in report["targets"].as_array().expect("targets") {
            assert_eq!(target["compared_by"], "id", "{name}: {report:#}");
        }
        verify(&space, &["--sample", "50"])
            .exits(0)
            .prints(&["No difference", "sample"]);
    }
}

#[test]
fn ids_that_the_server_made_are_left_out_of_the_comparison() {
    let (space, server) = (Space::new(), server());
    let task = json!({"source": golden(CATALOG), "sink": to_server(&server),
        "convert": {"ids": "generate"}});
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(&space, &["run", &task]).run().exits(0);
    let report = verify(&space, &["--json"]).exits(0).json();
    assert_eq!(report["targets"][0]["compared_by"], "values", "{report:#}");
}

#[test]
fn every_change_of_a_file_is_named_by_id() {
    let row = 17;
    for (what, kind) in [
        ("drop", "missing"),
        ("double", "doubled"),
        ("flip", "changed"),
    ] {
        let space = written(CATALOG);
        let wanted = ids(&space.path("out.h5"), &[row]);
        change(&space, &[what, &row.to_string()]);
        let named = found(verify(&space, &["--json"]), kind);
        assert_eq!(named, (1, wanted.clone()), "{what}");
        let text = verify(&space, &[]).exits(1);
        text.prints(&["DIFFERENT", &format!("1 {kind}"), &wanted[0]]);
    }
}

#[test]
fn vectors_that_are_swapped_between_two_ids_are_found() {
    let space = written(CATALOG);
    let mut wanted = ids(&space.path("out.h5"), &[3, 40]);
    change(&space, &["swap", "3", "40"]);
    let (count, mut rows) = found(verify(&space, &["--json"]), "changed");
    wanted.sort();
    rows.sort();
    assert_eq!((count, rows), (2, wanted));
}

#[test]
fn an_id_that_is_another_one_is_missing_and_extra() {
    let space = written(CATALOG);
    let wanted = ids(&space.path("out.h5"), &[8]);
    change(&space, &["rename", "8"]);
    let report = verify(&space, &["--json"]).exits(1).json();
    let target = &report["targets"][0];
    assert_eq!(
        (&target["missing"], &target["extra"]),
        (&json!(1), &json!(1))
    );
    let named = |what: &str| json!({"what": what, "row": if what == "extra" { "999999" } else { &wanted[0] }});
    let mut examples = target["examples"].as_array().expect("examples").clone();
    examples.sort_by_key(|example| example["what"].to_string());
    assert_eq!(examples, [named("extra"), named("missing")]);
}

#[test]
fn rows_without_ids_are_named_by_their_places() {
    let space = Space::new();
    let path = text(data("hdf5/glove-24-angular.hdf5"));
    let source = json!({"plugin": "hdf5", "path": path, "vectors": "/train"});
    moved(&space, &source, &to_file());
    verify(&space, &[]).exits(0).prints(&["without their ids"]);
    change(&space, &["flip", "5"]);
    let report = verify(&space, &["--json"]).exits(1).json();
    let target = &report["targets"][0];
    // Nothing tells that they are one row.
    assert_eq!(
        (&target["missing"], &target["extra"]),
        (&json!(1), &json!(1))
    );
    let rows = target["examples"].as_array().expect("examples").iter();
    for row in rows {
        let row = row["row"].as_str().expect("a row");
        assert!(row.starts_with("row 5 of "), "{row}");
    }
}

#[test]
fn a_sample_finds_what_it_covers() {
    let space = written(CATALOG);
    let wanted = ids(&space.path("out.h5"), &[60]);
    verify(&space, &["--sample", "10"])
        .exits(0)
        .prints(&["sample of 10 of"]);
    change(&space, &["flip", "60"]);
    let named = found(verify(&space, &["--sample", "10000", "--json"]), "changed");
    assert_eq!(named, (1, wanted));
    change(&space, &["drop", "60"]);
    let shorter = verify(&space, &["--sample", "10"]).exits(1);
    shorter.prints(&["at the target", "without `--sample`"]);
}

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

fn to_server(server: &Standin) -> Value {
    json!({"plugin": "milvus1", "uri": server.uri()})
}

#[test]
fn every_change_of_a_collection_is_named_by_id() {
    for (what, kind) in [
        ("drop", "missing"),
        ("flip", "changed"),
        ("swap", "changed"),
    ] {
        let (space, server) = (Space::new(), server());
        moved(&space, &golden("faiss/flat_l2.index"), &to_server(&server));
        verify(&space, &[]).exits(0).prints(&["equal:"]);
        let port = server.port().to_string();
        let wanted: &[&str] = if what == "swap" {
            &["17", "44"]
        } else {
            &["17"]
        };
        let mut args = vec![port.as_str(), "flat_l2", what];
        args.extend(wanted);
        run_python("change_milvus1.py", &args);
        for more in [&["--json"][..], &["--json", "--sample", "100"]] {
            let (count, mut rows) = found(verify(&space, more), kind);
            rows.sort();
            assert_eq!(
                (count, rows.len()),
                (wanted.len() as u64, wanted.len()),
                "{what}"
            );
            assert_eq!(rows, wanted, "{what}");
        }
    }
}

#[test]
fn a_row_that_a_server_has_twice_is_no_proof_and_named() {
    let (space, server) = (Space::new(), server());
    moved(&space, &golden("faiss/flat_l2.index"), &to_server(&server));
    let port = server.port().to_string();
    run_python("change_milvus1.py", &[&port, "flat_l2", "double", "17"]);
    let outcome = verify(&space, &[]).exits(1);
    outcome.prints(&[
        "DIFFERENT",
        "101 rows at the target",
        "can't be read",
        "(ids 17)",
    ]);
}

#[test]
fn a_target_that_is_not_there_is_said_to_be_missing() {
    let space = written(CATALOG);
    std::fs::remove_file(space.path("out.h5")).expect("a file of ours");
    let outcome = verify(&space, &[]).exits(1);
    outcome.prints(&["MISSING", "out.h5"]);
}

#[test]
fn a_sink_that_keeps_nothing_is_refused() {
    let space = Space::new();
    moved(&space, &golden(CATALOG), &json!({"plugin": "null"}));
    let outcome = verify(&space, &[]).exits(2);
    outcome.says(&["the sink `null` can't be read back"]);
}

#[test]
fn a_task_of_milvusdm_1_is_verified_as_it_stands() {
    let world = OldWorld::new();
    let milvus = world.milvus("float_basic");
    let task = world.move_all(&milvus, "\n    float_basic:", "append");
    world.run(&task).exits(0);
    let file = text(world.space.write("old.yaml", &task));
    let outcome = milvusdm(&world.space, &["verify", &file]).run();
    outcome.exits(0).prints(&["equal:"]);
}

#[test]
fn a_signal_stops_a_comparison_that_waits_for_its_server() {
    let (space, server) = (Space::new(), server());
    moved(&space, &golden(CATALOG), &to_server(&server));
    for call in ["get_vector_ids", "get_vectors_by_id"] {
        server.fail(format!("{call}=stall").parse().expect("a fault"));
    }
    let task = text(space.path("task.yaml"));
    let mut child = milvusdm(&space, &["verify", &task]).start();
    let said = || std::fs::read_to_string(space.path("errors")).expect("what it said");
    space.wait_until_said("Comparing");
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal of ours");
    let asked = Instant::now();
    let code = child.wait().expect("a child of ours").code();
    assert_eq!(code, Some(130), "{}", said());
    assert!(asked.elapsed() < Duration::from_secs(5), "{}", said());
}
