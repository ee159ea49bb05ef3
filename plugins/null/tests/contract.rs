// SPDX-License-Identifier: Apache-2.0
//! The null sink keeps the contract of a sink that keeps nothing.
#![allow(missing_docs)]

use milvusdm_plugin_api::{Services, testkit};
use milvusdm_plugin_null::PLUGIN_TABLE;
use serde_json::{Value, json};

#[test]
fn the_null_sink_keeps_the_contract() {
    let report = testkit::sink(PLUGIN_TABLE.handle(), |_| json!({}))
        .keeps_nothing()
        .run();
    report.assert_passed();
    let skipped: Vec<_> = report.skipped().map(|(name, _)| name).collect();
    assert_eq!(
        skipped,
        [
            "a column that it can't hold is refused by name",
            "values that it does not take are rejected by row",
            "writes at their place come in any order, again and again",
            "nothing is to be seen before `finish`",
            "`mode: fail` leaves what is there as it is",
            "`mode: skip` sees what is there",
            "`mode: append` adds to what is there",
            "`mode: overwrite` replaces at `finish`",
            "a run that died goes on where it was",
            "a run that died while it prepared begins anew",
            "a run that died after `finish` is known to be complete",
            "what a run that died left can be taken back",
        ],
        "{report}"
    );
}

#[test]
fn options_are_refused() {
    let error = PLUGIN_TABLE
        .handle()
        .open_sink(&json!({"path": "x"}), Services::detached())
        .unwrap_err();
    assert!(error.message().contains("`path`"), "{error}");
}

#[test]
fn the_documented_task_is_read() {
    let docs = PLUGIN_TABLE.handle().info().unwrap().docs;
    let task = docs
        .split("```yaml\n")
        .nth(1)
        .and_then(|t| t.split("```").next());
    let mut task: Value = serde_yaml::from_str(task.unwrap()).unwrap();
    let options = task["sink"].as_object_mut().unwrap();
    assert_eq!(options.remove("plugin").unwrap(), "null");
    let options = Value::Object(options.clone());
    PLUGIN_TABLE
        .handle()
        .open_sink(&options, Services::detached())
        .unwrap();
}
