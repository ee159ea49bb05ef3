// SPDX-License-Identifier: Apache-2.0
//! Plugins that break: rows that are rejected (1), plugins that fail (3) and accounts that do not
//! balance (5), with `milvusdm-faulty`, which has a plugin that does all of that on purpose.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Outcome, Space, faulty_binary, milvusdm};

fn run(space: &Space, source: &str, sink: &str) -> Outcome {
    let source = format!("faulty:?fault={source}");
    let sink = format!("faulty:?fault={sink}");
    milvusdm(space, &["copy", &source, &sink, "--json"])
        .program(faulty_binary())
        .run()
}

#[track_caller]
fn ledger(report: &Value, wanted: [(&str, u64); 3]) {
    for (key, wanted) in wanted {
        assert_eq!(report["ledger"][key], wanted, "{key}: {report:#}");
    }
}

#[test]
fn a_plugin_that_keeps_its_word_is_done() {
    let space = Space::new();
    let report = run(&space, "none", "none").exits(0).json();
    ledger(&report, [("found", 100), ("written", 100), ("rejected", 0)]);
}

#[test]
fn rows_that_the_sink_rejects_are_counted_and_shown_and_give_one() {
    let space = Space::new();
    let outcome = run(&space, "none", "rejects").exits(1);
    let report = outcome.json();
    assert_eq!(report["exit"], 1);
    let rejected = report["ledger"]["rejected"].as_u64().expect("a number");
    assert!(rejected >= 10, "{report:#}");
    ledger(
        &report,
        [
            ("found", 100),
            ("written", 100 - rejected),
            ("rejected", rejected),
        ],
    );
    let first = &report["rejected_rows"][0];
    assert_eq!(first["reason"], "it is a tenth row", "{report:#}");
    assert_eq!(first["row"], 0, "{report:#}");
}

#[test]
fn ids_that_the_target_can_not_hold_are_rejected_row_by_row() {
    let space = Space::new();
    let report = run(&space, "large_ids", "none").exits(1).json();
    ledger(&report, [("found", 100), ("written", 50), ("rejected", 50)]);
    let rows = report["rejected_rows"].as_array().expect("examples");
    assert!(!rows.is_empty(), "{report:#}");
    assert_eq!(rows[0]["row"], 1, "{report:#}");
    assert_eq!(rows[0]["id"], (u64::MAX - 1).to_string(), "{report:#}");
}

#[test]
fn a_writer_that_drops_one_row_makes_the_run_fail() {
    let space = Space::new();
    for fault in ["drops_a_row", "forgets_a_row", "acknowledges_too_much"] {
        let outcome = run(&space, "none", fault);
        assert!(matches!(outcome.code, Some(3 | 5)), "{fault}: {outcome}");
        assert!(
            !outcome.stderr.trim().is_empty(),
            "{fault}: it says so: {outcome}"
        );
    }
    run(&space, "none", "drops_a_row")
        .exits(5)
        .says(&["99", "100"]);
}

#[test]
fn a_reader_that_gives_other_rows_than_its_structure_has_makes_the_run_fail() {
    let space = Space::new();
    run(&space, "one_less", "none")
        .exits(5)
        .says(&["99", "100"]);
    let outcome = run(&space, "one_more", "none");
    assert!(matches!(outcome.code, Some(3 | 5)), "{outcome}");
}

#[test]
fn a_plugin_that_panics_or_breaks_its_contract_gives_three_and_is_named() {
    let space = Space::new();
    for (source, sink) in [
        ("panics", "none"),
        ("none", "panics"),
        ("changes_its_schema", "none"),
    ] {
        // The panic itself may be told, so this is no claim about the text of the panic.
        run_with_panic(&space, source, sink);
    }
}

/// As [`run`], for a plugin that panics: what is printed may say so.
fn run_with_panic(space: &Space, source: &str, sink: &str) {
    let (source, sink) = (
        format!("faulty:?fault={source}"),
        format!("faulty:?fault={sink}"),
    );
    let output = Command::new(faulty_binary())
        .args(["copy", &source, &sink])
        .current_dir(space.root())
        .env("MILVUSDM_PATH", space.path("home"))
        .output()
        .expect("milvusdm-faulty starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{source} {sink}: {errors}");
    assert!(errors.contains("faulty"), "it names the plugin: {errors}");
}

#[test]
fn a_source_or_sink_that_fails_gives_four_with_what_it_said() {
    let space = Space::new();
    run(&space, "fails", "none")
        .exits(4)
        .says(&["can't go on", "row: 50"]);
    run(&space, "none", "fails").exits(4).says(&["can't go on"]);
    let outcome = run(&space, "none", "fails&at=finish")
        .exits(4)
        .says(&["can't go on", "here: Finish"]);
    assert_eq!(
        outcome.json()["targets"][0]["status"],
        "aborted",
        "{outcome}"
    );
}

#[test]
fn a_call_that_ignores_the_stop_for_ten_seconds_is_named_and_gives_three() {
    let space = Space::new();
    // Side by side, as ten seconds are long.
    std::thread::scope(|scope| {
        for (source, sink, entry) in [("hangs", "none", "next"), ("none", "hangs", "write")] {
            let space = &space;
            scope.spawn(move || is_named_after_ten_seconds(space, source, sink, entry));
        }
    });
}

#[track_caller]
fn is_named_after_ten_seconds(space: &Space, source: &str, sink: &str, entry: &str) {
    let (source, sink) = (
        format!("faulty:?fault={source}"),
        format!("faulty:?fault={sink}"),
    );
    let mut child = Command::new(faulty_binary())
        .args(["copy", &source, &sink])
        .current_dir(space.root())
        .env("MILVUSDM_PATH", space.path("home"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("milvusdm-faulty starts");
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().expect("a child").is_none(), "it hangs");
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal of ours");
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() && start.elapsed() < Duration::from_secs(30)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(
        errors.contains("faulty") && errors.contains(entry),
        "it names plugin and entry: {errors}"
    );
    let took = start.elapsed().as_secs();
    assert!((9..20).contains(&took), "after ten seconds: {took} s");
}
