// SPDX-License-Identifier: Apache-2.0
//! The random source keeps the contract, whatever its options.
#![allow(missing_docs)]

use milvusdm_plugin_api::{ErrorKind, ReadRequest, Services, testkit};
use milvusdm_plugin_random::PLUGIN_TABLE;
use serde_json::{Value, json};

#[test]
fn every_kind_of_rows_keeps_the_contract() {
    for (options, rows) in [
        (json!({"rows": 100, "dim": 7}), 100),
        (
            json!({"rows": 101, "dim": 3, "splits": 4, "partitions": 3, "seed": 9}),
            101,
        ),
        (
            json!({"rows": 50, "dim": 13, "kind": "binary", "collection": "bits"}),
            50,
        ),
        (
            json!({"rows": 50, "dim": 5, "elem": "f64", "ids": false}),
            50,
        ),
        (json!({"rows": 50, "dim": 5, "elem": "f16"}), 50),
        (json!({"rows": 50, "dim": 5, "elem": "bf16"}), 50),
        (json!({"rows": 50, "dim": 5, "elem": "i8"}), 50),
        (json!({"rows": 50, "dim": 5, "elem": "u8", "splits": 2}), 50),
        (
            json!({"rows": 2, "dim": 1, "splits": 5, "partitions": 3}),
            2,
        ),
        (json!({"rows": 0, "dim": 1}), 0),
    ] {
        testkit::source(PLUGIN_TABLE.handle(), options)
            .rows(rows)
            .run()
            .assert_passed();
    }
}

/// The first vector of the collection, as text.
fn first_row(options: &Value) -> String {
    let source = PLUGIN_TABLE
        .handle()
        .open_source(options, Services::detached())
        .unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits(&dataset.key).unwrap().remove(0);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 1,
        max_batch_rows: None,
    };
    let mut reader = source.read(&dataset, &split, &request).unwrap();
    format!("{:?}", reader.next().unwrap().unwrap())
}

#[test]
fn the_seed_and_nothing_else_changes_a_row() {
    let row = first_row(&json!({"rows": 10, "dim": 4}));
    assert_eq!(
        row,
        first_row(&json!({"rows": 1000, "dim": 4, "splits": 7, "partitions": 2}))
    );
    assert_ne!(row, first_row(&json!({"rows": 10, "dim": 4, "seed": 1})));
}

#[test]
fn many_rows_cost_nothing_until_they_are_read() {
    let options = json!({"rows": 1u64 << 48, "dim": 1_048_576, "elem": "f64"});
    let source = PLUGIN_TABLE
        .handle()
        .open_source(&options, Services::detached())
        .unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    assert_eq!(source.splits(&dataset.key).unwrap().len(), 65_536);
}

#[test]
fn the_documented_tasks_are_read() {
    let docs = PLUGIN_TABLE.handle().info().unwrap().docs;
    let tasks: Vec<&str> = docs
        .split("```yaml\n")
        .skip(1)
        .filter_map(|t| t.split("```").next())
        .collect();
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        let mut task: Value = serde_yaml::from_str(task).unwrap();
        let options = task["source"].as_object_mut().unwrap();
        assert_eq!(options.remove("plugin").unwrap(), "random");
        let options = Value::Object(options.clone());
        PLUGIN_TABLE
            .handle()
            .open_source(&options, Services::detached())
            .unwrap();
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let error = PLUGIN_TABLE
        .handle()
        .open_source(&json!({"rows": 1, "dim": 0}), Services::detached())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.context_value("option"), Some("dim"));
}
