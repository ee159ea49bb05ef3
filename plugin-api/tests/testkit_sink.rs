// SPDX-License-Identifier: Apache-2.0
//! The suite for sinks passes a good one, and each of its cases fails for some bad one.
#![allow(missing_docs)]

#[allow(dead_code)]
mod memory;

use std::time::Duration;

use memory::{assert_every_case_is_shown, assert_fails, sink, sloppy};
use milvusdm_plugin_api::testkit::{self, Report};
use serde_json::json;

fn run(sin: &str) -> Report {
    let plugin = sink::PLUGIN_TABLE.handle();
    let sin = sin.to_owned();
    testkit::sink(
        plugin,
        move |folder| json!({ "folder": folder, "sin": sin }),
    )
    .read_back(move |folder, _| (plugin, json!({ "folder": folder })))
    .patience(Duration::from_secs(2))
    .run()
}

#[test]
fn a_good_sink_passes_every_case() {
    let report = run("");
    report.assert_passed();
    assert_eq!(report.skipped().collect::<Vec<_>>(), []);
}

#[test]
fn each_case_fails_for_a_sink_with_that_sin() {
    let sins = [
        (
            "odd id types",
            "its capabilities are sound and the same each time",
        ),
        (
            "odd elements",
            "its capabilities are sound and the same each time",
        ),
        (
            "odd scalars",
            "its capabilities are sound and the same each time",
        ),
        (
            "unstable capabilities",
            "its capabilities are sound and the same each time",
        ),
        ("check writes", "opening and checking write nothing"),
        (
            "takes anything",
            "a column that it can't hold is refused by name",
        ),
        (
            "refuses without a name",
            "a column that it can't hold is refused by name",
        ),
        ("loses a row", "rows come back as they were written"),
        (
            "loses a row and lies",
            "rows come back as they were written",
        ),
        ("turns rows round", "rows come back as they were written"),
        ("must know the rows", "rows need not be counted beforehand"),
        ("empty is nothing", "a target without rows is whole"),
        ("ignores partitions", "partitions are targets of their own"),
        ("mixes targets", "several targets do not mix"),
        (
            "takes any value",
            "values that it does not take are rejected by row",
        ),
        (
            "ignores places",
            "writes at their place come in any order, again and again",
        ),
        (
            "counts twice",
            "writes at their place come in any order, again and again",
        ),
        ("one thread only", "several threads write at once"),
        ("seen at once", "nothing is to be seen before `finish`"),
        ("abort leaves a file", "`abort` leaves nothing behind"),
        (
            "publishes when dropped",
            "a writer dropped unfinished leaves nothing that looks whole",
        ),
        (
            "publishes when cancelled",
            "cancelling stops it within one batch",
        ),
        (
            "sleeps when cancelled",
            "cancelling stops it within one batch",
        ),
        ("never fails", "`mode: fail` leaves what is there as it is"),
        ("skip refuses", "`mode: skip` sees what is there"),
        ("append replaces", "`mode: append` adds to what is there"),
        (
            "overwrites at once",
            "`mode: overwrite` replaces at `finish`",
        ),
        (
            "loses what it wrote",
            "a run that died goes on where it was",
        ),
        ("thinks it complete", "a run that died goes on where it was"),
        (
            "counts what has places",
            "a run that died goes on where it was",
        ),
        (
            "stands in its own way",
            "a run that died while it prepared begins anew",
        ),
        (
            "forgets that it finished",
            "a run that died after `finish` is known to be complete",
        ),
        (
            "leaves what it took up",
            "what a run that died left can be taken back",
        ),
    ];
    for (sin, case) in sins {
        assert_fails(&run(sin), sin, case);
    }
    let sloppy = testkit::sink(sloppy::PLUGIN_TABLE.handle(), |_| json!({})).run();
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
