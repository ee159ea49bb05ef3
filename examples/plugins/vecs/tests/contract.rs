// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite that every plugin passes, over each format and way to carry integers.
#![allow(missing_docs)]

mod common;

use common::{Place, data, file_of, plugin, with};
use milvusdm_plugin_api::testkit;
use serde_json::{Value, json};

fn keeps_the_contract(file: &str, rows: u64, more: &Value) {
    let whole = std::fs::read(data(file)).unwrap();
    let (_, ending) = file.split_once('.').unwrap();
    let name = format!("damaged.{ending}");
    let cut = Place::with(&name, &whole[..whole.len() - 1]);
    let mut bytes = whole.clone();
    let half = whole.len() / rows as usize * (rows as usize / 2);
    bytes[half] ^= 1;
    let other_dim = Place::with(&name, &bytes);
    let text = Place::with(&name, b"no vectors at all");
    let empty = Place::with(&name, b"");
    let options = |path: Value| with(json!({ "path": path }), more.clone());
    let report = testkit::source(plugin(), options(json!(data(file))))
        .rows(rows)
        .missing(options(json!(data("nowhere.fvecs"))))
        .missing(options(json!("nowhere*.fvecs")))
        .damaged(options(json!(cut.path)))
        .damaged(options(json!(other_dim.path)))
        .damaged(options(json!(text.path)))
        .damaged(options(json!(empty.path)))
        .unchanged(data(""))
        .run();
    report.assert_passed();
    assert_eq!(report.skipped().collect::<Vec<_>>(), []);
}

#[test]
fn files_of_floats_keep_the_contract() {
    keeps_the_contract("points.fvecs", 10, &json!({}));
    keeps_the_contract("points.fvecs", 10, &json!({"ids": "none"}));
}

#[test]
fn files_of_bytes_keep_the_contract() {
    keeps_the_contract("bytes.bvecs", 12, &json!({"first_id": -3}));
}

#[test]
fn files_of_integers_keep_the_contract_however_they_are_carried() {
    for integers in ["f32", "f64", "list"] {
        keeps_the_contract("nearest.ivecs", 5, &json!({ "integers": integers }));
    }
    keeps_the_contract(
        "nearest.ivecs",
        5,
        &json!({"integers": "list", "ids": "none"}),
    );
}

#[test]
fn a_file_of_several_splits_keeps_the_contract() {
    // Rows of 4 MiB, 16 of them in a split of 64 MiB.
    let dim = 1 << 20;
    let rows: Vec<Vec<[u8; 4]>> = (0..20)
        .map(|row| {
            (0..dim)
                .map(|i| ((row * dim + i) as f32).to_le_bytes())
                .collect()
        })
        .collect();
    let place = Place::with("large.fvecs", &file_of(&rows));
    let source = common::open(&place.options(json!({}))).unwrap();
    assert_eq!(source.splits("large").unwrap().len(), 2);
    testkit::source(plugin(), place.options(json!({})))
        .rows(20)
        .unchanged(place.folder())
        .run()
        .assert_passed();
}

#[test]
fn several_files_keep_the_contract() {
    let paths = json!({"path": [data("*.fvecs"), data("bytes.bvecs"), data("nearest.ivecs")]});
    testkit::source(plugin(), paths)
        .rows(27)
        .run()
        .assert_passed();
}
