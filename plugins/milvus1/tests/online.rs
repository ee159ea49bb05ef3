// SPDX-License-Identifier: Apache-2.0
//! What is read from a running server, with its traps.

mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use milvusdm_plugin_api::arrow::array::cast::AsArray as _;
use milvusdm_plugin_api::arrow::array::types::{Float32Type, Int64Type};
use milvusdm_plugin_api::{Mode, ReadAccount, ReadRequest, Services, testkit};
use milvusdm_plugin_milvus1::PLUGIN_TABLE;
use milvusdm_standin::{Standin, StandinOptions};
use serde_json::json;
use server::*;

type Rows = Vec<(i64, Vec<f32>)>;

/// Rows and account of each dataset.
fn read(uri: &str, between: impl Fn()) -> BTreeMap<String, (Rows, ReadAccount)> {
    let plugin = PLUGIN_TABLE.handle();
    let source = plugin
        .open_source(&json!({ "uri": uri }), Services::detached())
        .unwrap();
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 400,
        max_batch_rows: None,
    };
    let mut all = BTreeMap::new();
    for dataset in source.datasets().unwrap() {
        let mut rows = Rows::new();
        let mut account = ReadAccount::default();
        let splits = source.splits(&dataset.key).unwrap();
        between();
        for split in splits {
            let mut reader = source.read(&dataset, &split, &request).unwrap();
            let mut given = 0;
            while let Some(batch) = reader.next().unwrap() {
                given += batch.num_rows() as u64;
                let ids = batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec();
                let list = batch.column(1).as_fixed_size_list();
                let values = list.values().as_primitive::<Float32Type>().values();
                rows.extend(ids.into_iter().zip(values.chunks(DIM).map(<[f32]>::to_vec)));
            }
            let found = reader.account().unwrap();
            assert_eq!(split.found, Some(given + found.lost), "{}", split.id);
            account.lost += found.lost;
            account.notes.extend(found.notes);
        }
        all.insert(dataset.descriptor.full_name(), (rows, account));
    }
    all
}

fn filled(server: &Standin, targets: &[(&str, &[i64])]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, ids) in targets {
        let batch = floats(ids);
        let target = target(name, Mode::Append, &batch);
        let options = options(server, folder.path(), json!({}));
        write(&options, &[(target, batch)], 1000).unwrap();
    }
}

#[test]
fn every_partition_is_read_exactly_whatever_its_tag_matches() {
    let server = server();
    let many: Vec<i64> = (0..2500).collect();
    filled(
        &server,
        &[
            ("c", &many),
            ("c/a.b", &[3001, 3002]),
            ("c/axb", &[3003]),
            ("c/p(1", &[3004]),
            ("c/.*", &[3005]),
        ],
    );
    let found = read(&server.uri(), || ());
    assert_eq!(found["c/_default"].0, expected(&many));
    assert_eq!(found["c/a.b"].0, expected(&[3001, 3002]));
    assert_eq!(found["c/axb"].0, expected(&[3003]));
    assert_eq!(found["c/p(1"].0, expected(&[3004]));
    assert_eq!(found["c/.*"].0, expected(&[3005]));
    assert!(found.values().all(|(_, account)| account.lost == 0));
}

#[test]
fn segments_may_be_merged_while_they_are_read() {
    let server = Standin::start(StandinOptions {
        merge_after: Some(Duration::from_millis(50)),
        ..StandinOptions::default()
    })
    .unwrap();
    let parts: Vec<Vec<i64>> = (0..5).map(|i| (i * 100..i * 100 + 100).collect()).collect();
    for part in &parts {
        filled(&server, &[("c", part)]);
    }
    let found = read(&server.uri(), || server.merge("c").unwrap());
    let mut rows = found["c/_default"].0.clone();
    rows.sort_by_key(|(id, _)| *id);
    assert_eq!(rows, expected(&parts.concat()));
}

#[test]
fn rows_that_share_an_id_and_can_not_be_told_apart_are_counted_as_lost() {
    let server = server();
    // 1 twice in one partition; 2 in two of them, one of which is asked without a tag.
    filled(&server, &[("c", &[1, 2, 3]), ("c", &[1]), ("c/p", &[2, 4])]);
    let found = read(&server.uri(), || ());
    let (rows, account) = &found["c/_default"];
    assert_eq!(*rows, expected(&[1, 3]));
    assert_eq!(account.lost, 2);
    assert!(account.notes[0].contains("share their id"), "{account:?}");
    assert_eq!(found["c/p"].0, expected(&[2, 4]));
    assert_eq!(found["c/p"].1.lost, 0);
}

#[test]
fn a_server_before_1_1_searches_everything_and_only_clear_ids_are_taken() {
    let server = Standin::start(StandinOptions {
        version: "1.0.0".to_owned(),
        ..StandinOptions::default()
    })
    .unwrap();
    filled(&server, &[("c", &[1, 2]), ("c/p", &[2, 3])]);
    let found = read(&server.uri(), || ());
    assert_eq!(found["c/_default"].0, expected(&[1]));
    assert_eq!(found["c/p"].0, expected(&[3]));
    assert_eq!(found["c/p"].1.lost + found["c/_default"].1.lost, 2);
}

#[test]
fn the_source_keeps_its_contract() {
    let server = server();
    let many: Vec<i64> = (0..90).collect();
    filled(&server, &[("c", &many), ("c/p", &[100, 101])]);
    testkit::source(PLUGIN_TABLE.handle(), json!({ "uri": server.uri() }))
        .rows(92)
        .run()
        .assert_passed();
}
