// SPDX-License-Identifier: Apache-2.0
//! `verify` claims no more than it has seen, and says what it went by.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Outcome, Space, data, milvusdm, run_python, text};

const ROWS: u64 = 120;

fn golden() -> String {
    format!("faiss:{}", text(data("faiss/ivf8_flat_ids.index")))
}

/// A task from a golden file to `out.h5`, not yet run.
fn task(space: &Space, more: Value) -> String {
    let source = text(data("faiss/ivf8_flat_ids.index"));
    let mut task = json!({
        "source": {"plugin": "faiss", "path": source},
        "sink": {"plugin": "hdf5", "path": "out.h5"},
    });
    let members = task.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    text(space.write("task.yaml", task.to_string()))
}

fn run(space: &Space, args: &[&str]) -> Outcome {
    milvusdm(space, args).run()
}

fn change(space: &Space, args: &[&str]) {
    let file = text(space.path("out.h5"));
    run_python("change_h5.py", &[&[file.as_str()], args].concat());
}

#[test]
fn a_sample_proves_nothing_of_the_rest() {
    let space = Space::new();
    let task = task(&space, json!({}));
    run(&space, &["run", &task]).exits(0);
    let sample = ["verify", &task, "--sample", "10", "--json"];
    let report = run(&space, &sample).exits(0).json();
    assert_eq!(report["targets"][0]["equal"], Value::Null, "{report:#}");
    change(&space, &["drop", "3"]);
    let report = run(&space, &sample).exits(1).json();
    assert_eq!(report["targets"][0]["equal"], false, "{report:#}");
    let outcome = run(&space, &["verify", &task, "--sample", "10"]).exits(1);
    assert!(!outcome.stdout.contains("sample of 0"), "{outcome}");
}

#[test]
fn it_says_who_read_the_source() {
    let space = Space::new();
    let task = task(&space, json!({"mode": "overwrite"}));
    let read_by = |more: &[&str]| {
        let args = [&["verify", &task, "--json"], more].concat();
        let report = run(&space, &args).exits(0).json();
        report["targets"][0]["source_read_by"].clone()
    };
    run(&space, &["run", &task]).exits(0);
    assert_eq!(read_by(&[]), "run");
    assert_eq!(read_by(&["--read-source"]), "verify");
    run(&space, &["verify", &task])
        .exits(0)
        .prints(&["as the run hashed them"]);
    run(&space, &["run", &task, "--no-hash"]).exits(0);
    assert_eq!(read_by(&[]), "verify");
    change(&space, &["flip", "7"]);
    run(&space, &["verify", &task, "--read-source"]).exits(1);
}

#[test]
fn a_run_that_can_not_be_verified_moves_nothing() {
    let space = Space::new();
    let args = ["copy", "random:50?dim=4", "null:", "--verify", "--json"];
    let report = run(&space, &args).exits(2).json();
    assert_eq!(report["ledger"]["written"], 0, "{report:#}");
    assert_eq!(report["rows"], 0, "{report:#}");
}

#[test]
fn rows_that_were_there_before_are_no_difference() {
    let space = Space::new();
    let task = task(&space, json!({"mode": "append"}));
    run(&space, &["run", &task]).exits(0);
    // The same rows once more: each is there twice, as it should.
    let report = run(&space, &["run", &task, "--verify", "--json"])
        .exits(0)
        .json();
    let target = &report["verified"]["targets"][0];
    assert_eq!(target["equal"], true, "{report:#}");
    assert_eq!(target["rows_target"], 2 * ROWS, "{report:#}");
    run(&space, &["verify", &task])
        .exits(0)
        .prints(&["as there were before the run: 120"]);
    let sample = ["verify", &task, "--sample", "20"];
    run(&space, &sample).exits(0).prints(&["No difference"]);
    change(&space, &["drop", "3"]);
    run(&space, &["verify", &task])
        .exits(1)
        .prints(&["before the run there were 120 others, beside its rows there are now 119"]);
    run(&space, &sample).exits(1);
    // Only the run's own are left, which are equal to the source's.
    let alone = [
        "copy",
        &golden(),
        "hdf5:out.h5",
        "--mode",
        "overwrite",
        "--no-journal",
    ];
    run(&space, &alone).exits(0);
    run(&space, &["verify", &task])
        .exits(1)
        .prints(&["there are now 0"]);
}

#[test]
fn what_searches_go_by_is_held_against_the_source_too() {
    let space = Space::new();
    let task = task(&space, json!({}));
    run(&space, &["run", &task]).exits(0);
    change(&space, &["metric", "0"]);
    run(&space, &["verify", &task])
        .exits(0)
        .prints(&["is l2 at the target, ip at the source"]);
    change(&space, &["narrow", "0"]);
    run(&space, &["verify", &task])
        .exits(1)
        .prints(&["DIFFERENT", "120 changed"]);
}

#[test]
fn an_unfinished_run_is_told_of() {
    let space = Space::new();
    let task = task(
        &space,
        json!({"limit": {"rows_per_second": 100}, "memory": "16MiB"}),
    );
    let mut child = milvusdm(&space, &["run", &task]).start();
    let is_begun = || space.list("").iter().any(|name| name.contains(".partial"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_begun() {
        assert!(Instant::now() < deadline, "it writes nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    run(&space, &["verify", &task])
        .exits(1)
        .prints(&["MISSING", "is not finished"]);
    run(&space, &["status", "tsak.yaml"])
        .exits(2)
        .says(&["tsak.yaml"]);
}
