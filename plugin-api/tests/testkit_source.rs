// SPDX-License-Identifier: Apache-2.0
//! The suite for sources passes a good one, and each of its cases fails for some bad one.
#![allow(missing_docs)]

#[allow(dead_code)]
mod memory;

use std::time::Duration;

use memory::{assert_every_case_is_shown, assert_fails, sloppy, source};
use milvusdm_plugin_api::testkit::{self, Report};
use serde_json::json;

fn run(sin: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "rows").unwrap();
    let options = |more: serde_json::Value| {
        let mut options = json!({ "sin": sin, "file": file });
        options
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        options
    };
    testkit::source(source::PLUGIN_TABLE.handle(), options(json!({})))
        .rows(source::ROWS)
        .missing(options(json!({ "is_there": false })))
        .damaged(options(json!({ "is_whole": false })))
        .unchanged(folder.path())
        .patience(Duration::from_secs(2))
        .run()
}

#[test]
fn a_good_source_passes_every_case() {
    let report = run("");
    report.assert_passed();
    assert_eq!(report.skipped().collect::<Vec<_>>(), []);
}

#[test]
fn each_case_fails_for_a_source_with_that_sin() {
    let sins = [
        ("unstable datasets", "its datasets are the same each time"),
        (
            "denies its ids",
            "schemas and descriptors fit the data model",
        ),
        ("unstable splits", "its splits are the same each time"),
        ("no fingerprint", "its splits are the same each time"),
        ("any dataset", "an unknown dataset or split is refused"),
        ("any split", "an unknown dataset or split is refused"),
        ("inspect fails", "it answers to `inspect`"),
        ("loses a row", "rows add up to what was found"),
        ("empty batches", "rows add up to what was found"),
        ("ignores the ceilings", "batches keep to the ceilings"),
        (
            "numbers rows by batch",
            "rows are the same whatever the batches",
        ),
        ("ignores first_row", "reading resumes at any row"),
        ("forgets the deleted", "reading resumes at any row"),
        ("one reader at a time", "readers work side by side"),
        ("drop breaks it", "a reader may be dropped midway"),
        (
            "ends when cancelled",
            "cancelling stops it within one batch",
        ),
        (
            "fails when cancelled",
            "cancelling stops it within one batch",
        ),
        (
            "sleeps when cancelled",
            "cancelling stops it within one batch",
        ),
        ("missing is an I/O error", "a missing source is not found"),
        ("damage panics", "damaged input is an error"),
        ("writes", "what it reads stays as it was"),
    ];
    for (sin, case) in sins {
        assert_fails(&run(sin), sin, case);
    }
    let sloppy = testkit::source(sloppy::PLUGIN_TABLE.handle(), json!({})).run();
    let sloppy_cases = [
        "it says what it is",
        "its options have a schema that describes each and refuses others",
        "its docs name every option",
        "an unknown option is refused by name",
    ];
    for case in sloppy_cases {
        assert_fails(&sloppy, "sloppy", case);
    }
    let shown: Vec<&str> = sins
        .iter()
        .map(|(_, case)| *case)
        .chain(sloppy_cases)
        .collect();
    assert_every_case_is_shown(&sloppy, &shown);
}
