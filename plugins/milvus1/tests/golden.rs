// SPDX-License-Identifier: Apache-2.0
//! Directories that the real server wrote, row for row (`tests/data/milvus1/golden/README.md`).

mod common;

use common::{golden, open, read, read_json, sorted, wanted};
use milvusdm_plugin_api::model::{IdPolicy, Kind};
use serde_json::{Value, json};

/// Reads a golden directory and compares everything that its description says.
fn compare(name: &str, part: &str) {
    let described = read_json(&golden().join(name).join("expected.json"));
    let described = &described[part];
    let mut found = read(&golden().join(name), &json!({})).unwrap();
    for (full_name, rows) in wanted(described) {
        let whole = found
            .remove(&full_name)
            .unwrap_or_else(|| panic!("{name}: there is no {full_name}"));
        assert_eq!(sorted(whole.rows), sorted(rows), "{name}: {full_name}");
        let about = &described[&whole.dataset.descriptor.collection];
        describe(&full_name, &whole.dataset, about);
    }
    assert!(
        found.is_empty(),
        "{name}: there are more: {:?}",
        found.keys()
    );
}

fn describe(name: &str, dataset: &milvusdm_plugin_api::Dataset, about: &Value) {
    let descriptor = &dataset.descriptor;
    assert_eq!(descriptor.system, "milvus1");
    assert_eq!(descriptor.partition_default, name.ends_with("/_default"));
    let own = &descriptor.properties["milvus1"];
    assert_eq!(own["index_file_size"], about["index_file_size"], "{name}");
    assert_eq!(own["metric_type"], about["metric_type_code"], "{name}");
    let vector = dataset.schema.field(1);
    let vector = milvusdm_plugin_api::model::VectorType::of(vector)
        .unwrap()
        .unwrap();
    assert_eq!(json!(vector.dim), about["dimension"], "{name}");
    let metric = about["metric_type"].as_str().unwrap().to_lowercase();
    assert_eq!(vector.metric, Some(metric), "{name}");
    let is_binary = about["metric_type_code"].as_i64().unwrap() > 2;
    assert_eq!(vector.kind == Kind::Binary, is_binary, "{name}");
    let index = &about["index"];
    match descriptor.indexes.as_slice() {
        [] => assert!(
            matches!(index["type"].as_str(), Some("FLAT" | "BIN_FLAT")),
            "{name}: {index}"
        ),
        [one] => {
            // gRPC calls binary ones by the number of their float kind.
            let code = one.native["type_id"]
                .as_i64()
                .map(|code| code - if is_binary { 8 } else { 0 });
            assert_eq!(json!(code), index["type_code"], "{name}");
            assert_eq!(one.native["params"], index["params"], "{name}");
            assert_ne!(one.family, "other", "{name}");
        }
        more => panic!("{name}: {} indexes", more.len()),
    }
}

#[test]
fn rows_ids_and_special_floats_come_bit_for_bit() {
    compare("float_basic", "collections");
}

#[test]
fn partitions_are_datasets_of_their_own() {
    compare("partitions", "collections");
    let found = read(&golden().join("partitions"), &json!({})).unwrap();
    let policy = |name: &str| found[name].dataset.descriptor.id.policy;
    assert_eq!(policy("parts_user/p1"), IdPolicy::Given);
    assert_eq!(policy("parts_auto/日本"), IdPolicy::Auto);
    assert!(found.contains_key("parts_auto/alpha beta"));
}

#[test]
fn binary_vectors_come_under_all_their_metrics() {
    compare("binary", "collections");
}

#[test]
fn deleted_rows_stay_away_and_are_counted() {
    compare("deletes", "collections");
    let found = read(&golden().join("deletes"), &json!({})).unwrap();
    assert_eq!(found["del_plain/_default"].account.deleted, 6 + 40 + 3);
    assert_eq!(found["del_compacted/_default"].account.deleted, 3);
}

#[test]
fn indexed_segments_are_read_once_and_their_indexes_described() {
    compare("indexed", "collections");
    let found = read(&golden().join("indexed"), &json!({})).unwrap();
    let index = |name: &str| &found[name].dataset.descriptor.indexes[0];
    assert_eq!(index("hnsw/_default").params["ef_construction"], 40);
    assert_eq!(index("ivf_pq/_default").params["pq_m"], 4);
    assert_eq!(index("mixed/ip").state.as_deref(), Some("built"));
}

#[test]
fn what_was_dropped_does_not_come_back() {
    compare("dropped", "collections");
}

#[test]
fn collections_and_partitions_without_rows_come_too() {
    compare("empty", "collections");
    let found = read(&golden().join("empty"), &json!({})).unwrap();
    let index = &found["emptyindexed/_default"].dataset.descriptor.indexes[0];
    assert_eq!(index.state.as_deref(), Some("declared"));
}

#[test]
fn rows_that_only_the_log_has_are_there_as_after_a_restart() {
    compare("wal", "after_recovery");
}

#[test]
fn without_the_log_it_is_what_was_flushed() {
    let described = read_json(&golden().join("wal/expected.json"));
    let found = read(&golden().join("wal"), &json!({"wal": "ignore"})).unwrap();
    for (name, rows) in wanted(&described["flushed_before_kill"]) {
        let found = found[&name].rows.clone();
        assert_eq!(sorted(found), sorted(rows), "{name}");
    }
}

#[test]
fn the_database_folder_itself_may_be_named() {
    let by_home = read(&golden().join("wal"), &json!({})).unwrap();
    let by_db = read(&golden().join("wal/db"), &json!({})).unwrap();
    for (name, whole) in &by_home {
        assert_eq!(by_db[name].rows, whole.rows, "{name}");
    }
}

#[test]
fn inspect_shows_segments_and_what_is_not_read() {
    let inspection = open(&golden().join("dropped"), &json!({}))
        .unwrap()
        .inspect()
        .unwrap();
    assert_eq!(inspection.trees.len(), 1);
    let keep = &inspection.trees[0];
    assert_eq!(keep.label, "keep");
    assert_eq!(keep.children.len(), 2);
    assert_eq!(keep.children[0].children[0].facts["live"], 10);
    let text = inspection.notices.join("\n");
    assert!(text.contains("Collection `lost` was dropped"), "{text}");
    assert!(text.contains("3 to be deleted"), "{text}");

    let inspection = open(&golden().join("wal"), &json!({}))
        .unwrap()
        .inspect()
        .unwrap();
    let mixed = &inspection.trees[0].children[0].children;
    assert_eq!(mixed[0].facts["deleted_in_wal"], 3);
    assert_eq!(mixed[1].label, "write-ahead log");
    assert_eq!(
        (&mixed[1].facts["rows"], &mixed[1].facts["live"]),
        (&json!(30), &json!(29))
    );
}
