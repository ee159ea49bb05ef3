// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite that every plugin of milvusdm passes, and the values of the sample.

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::arrow::array::Array;
use milvusdm_plugin_api::arrow::array::cast::AsArray;
use milvusdm_plugin_api::arrow::array::types::{Float32Type, Int64Type};
use milvusdm_plugin_api::{ErrorKind, ReadRequest, Services, testkit};
use serde_json::json;

use milvusdm_plugin_{{name}}::PLUGIN_TABLE;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/points.f32")
}

#[test]
fn it_keeps_the_contract_of_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.f32");
    let bytes = std::fs::read(sample()).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let missing = folder.path().join("missing.f32");
    testkit::source(PLUGIN_TABLE.handle(), json!({"path": sample(), "dim": 4}))
        .rows(10)
        .missing(json!({"path": missing, "dim": 4}))
        .damaged(json!({"path": cut, "dim": 4}))
        .unchanged(sample())
        .run()
        .assert_passed();
}

#[test]
fn a_file_of_several_splits_keeps_the_contract_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.f32");
    // Rows of 4 MiB, 15 of them in a split.
    let dim = 1 << 20;
    let numbers = (0..20 * dim).map(|i| i as f32);
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    std::fs::write(&path, bytes).unwrap();
    testkit::source(PLUGIN_TABLE.handle(), json!({"path": path, "dim": dim}))
        .rows(20)
        .run()
        .assert_passed();
}

#[test]
fn the_sample_arrives_as_it_is() {
    let options = json!({"path": sample(), "dim": 4});
    let source = PLUGIN_TABLE
        .handle()
        .open_source(&options, Services::detached())
        .unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits(&dataset.key).unwrap().remove(0);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 1 << 20,
        max_batch_rows: None,
    };
    let mut reader = source.read(&dataset, &split, &request).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().unwrap().is_none());
    let ids = batch.column(0).as_primitive::<Int64Type>();
    assert_eq!(ids.values(), &(0..10).collect::<Vec<_>>()[..]);
    let vectors = batch.column(1).as_fixed_size_list();
    assert_eq!(vectors.len(), 10);
    let wanted: Vec<f32> = (0..10)
        .flat_map(|i| (0..4).map(move |j| i as f32 + j as f32 / 4.0))
        .collect();
    let numbers = vectors.values().as_primitive::<Float32Type>();
    assert_eq!(numbers.values(), &wanted[..]);
}

#[test]
fn a_dimension_that_does_not_fit_is_refused_with_the_option() {
    let plugin = PLUGIN_TABLE.handle();
    for (dim, kind) in [(0, ErrorKind::Config), (3, ErrorKind::Format)] {
        let options = json!({"path": sample(), "dim": dim});
        let Err(error) = plugin.open_source(&options, Services::detached()) else {
            panic!("a dimension of {dim} is accepted");
        };
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("`dim`"), "{error}");
    }
}
