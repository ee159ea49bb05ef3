// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite for sources, over exact, mapped, inverted, deduplicated and lossy indexes.

mod common;

use std::path::Path;

use common::golden;
use milvusdm_plugin_api::testkit;
use serde_json::{Value, json};

fn keeps_the_contract(name: &str, rows: u64) {
    let folder = golden();
    let at = |path: &Path| -> Value { json!({ "path": path, "lossy": "allow" }) };
    testkit::source(common::plugin(), at(&folder.join(format!("{name}.index"))))
        .rows(rows)
        .missing(at(&folder.join("nowhere.index")))
        .missing(at(&folder.join("malformed/ondisk_data_missing.index")))
        .damaged(at(&folder.join("malformed/trunc_in_data.index")))
        .damaged(at(&folder.join("malformed/text.index")))
        .damaged(at(&folder.join("malformed/ivf_list_size_2pow59.index")))
        .unchanged(&folder)
        .run()
        .assert_passed();
}

#[test]
fn flat_and_mapped_indexes_keep_the_contract() {
    keeps_the_contract("flat_l2", 100);
    keeps_the_contract("idmap_flat", 80);
    keeps_the_contract("flat_l2_panorama3", 45);
    keeps_the_contract("hnsw8_empty", 0);
}

#[test]
fn inverted_files_keep_the_contract() {
    keeps_the_contract("ivf16_flat", 250);
    keeps_the_contract("idmap_ivf", 100);
    keeps_the_contract("ivf6_ondisk", 120);
    keeps_the_contract("forged_IvFL", 60);
    keeps_the_contract("ivf8_flat_dedup", 110);
}

#[test]
fn decoded_indexes_keep_the_contract() {
    keeps_the_contract("pca16_ivf8_ids", 130);
    keeps_the_contract("ivf4_pq4x4fsr", 150);
    keeps_the_contract("ivf4_pq4x4_plus_pqr", 300);
    keeps_the_contract("sqfp16", 60);
}

#[test]
fn binary_indexes_keep_the_contract() {
    keeps_the_contract("bivf8", 150);
    keeps_the_contract("bhash6", 60);
    keeps_the_contract("bfromfloat_flat", 50);
}
