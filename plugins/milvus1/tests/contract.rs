// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite for sources, over directories that the real server wrote and damaged ones.

mod common;

use std::fs;
use std::path::Path;

use common::{copy, golden};
use milvusdm_plugin_api::testkit;
use serde_json::{Value, json};

fn keeps_the_contract(name: &str, more: &Value, rows: u64) {
    let scratch = tempfile::tempdir().unwrap();
    let at = |path: &Path| -> Value {
        let mut options = json!({ "path": path });
        for (key, value) in more.as_object().unwrap() {
            options[key] = value.clone();
        }
        options
    };
    let home = golden().join(name);
    let cut = scratch.path().join("cut");
    copy(&golden().join("partitions"), &cut);
    let vectors = "db/tables/second/1795342030320128000/1795342030320128000.rv";
    let vectors = fs::File::options()
        .write(true)
        .open(cut.join(vectors))
        .unwrap();
    vectors.set_len(100).unwrap();
    testkit::source(common::plugin(), at(&home))
        .rows(rows)
        .missing(at(&home.join("nowhere")))
        .damaged(json!({ "path": cut }))
        .unchanged(&home)
        .run()
        .assert_passed();
}

#[test]
fn partitions_and_deleted_rows_keep_the_contract() {
    keeps_the_contract("partitions", &json!({}), 30 + 25 + 30 + 30 + 15 + 12 + 17);
    keeps_the_contract("deletes", &json!({}), 116 + 17 + 116 + 17);
    keeps_the_contract("binary", &json!({}), 178);
}

#[test]
fn empty_collections_keep_the_contract() {
    keeps_the_contract("empty", &json!({}), 8);
}

#[test]
fn the_log_keeps_the_contract() {
    keeps_the_contract("wal", &json!({}), 120);
    keeps_the_contract("wal", &json!({"wal": "ignore"}), 60);
}

#[test]
fn folders_without_metadata_keep_the_contract() {
    keeps_the_contract("float_basic", &json!({"metadata": "none"}), 120);
}
