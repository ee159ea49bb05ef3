// SPDX-License-Identifier: Apache-2.0
//! Directories whose metadata is lost, and the search for one id.

mod common;

use std::fs;

use common::{Rows, copy, golden, open, read, read_json, sorted, wanted};
use milvusdm_plugin_api::{ErrorKind, Services};
use milvusdm_plugin_milvus1::Milvus1SourceOptions;
use milvusdm_plugin_milvus1::cold::ColdSource;
use serde_json::json;

fn all_rows(found: impl IntoIterator<Item = common::Whole>) -> Rows {
    found.into_iter().flat_map(|whole| whole.rows).collect()
}

#[test]
fn folders_alone_give_the_same_rows_where_nothing_was_merged_away() {
    for (name, element) in [
        ("partitions", "float"),
        ("binary", "binary"),
        ("deletes", "float"),
    ] {
        let home = golden().join(name);
        let described = read_json(&home.join("expected.json"));
        let mut expected: Rows = wanted(&described["collections"])
            .into_values()
            .flatten()
            .collect();
        let mut options = json!({"metadata": "none", "element": element});
        let found = read(&home, &options).unwrap();
        let collections: Vec<String> = found.keys().cloned().collect();
        let mut rows = all_rows(found.into_values());
        if name == "deletes" {
            // Compacted segments come twice, which is said.
            expected.dedup();
            rows = sorted(rows);
            for row in &expected {
                assert!(rows.binary_search(row).is_ok(), "{name}: {}", row.0);
            }
        } else {
            assert_eq!(sorted(rows), sorted(expected), "{name}");
        }
        let notices = open(&home, &options).unwrap().inspect().unwrap().notices;
        assert!(notices[0].contains("rows may come twice"), "{notices:?}");
        // The folder of tables itself, under any name.
        let scratch = tempfile::tempdir().unwrap();
        let bare = scratch.path().join("rescued");
        copy(&home.join("db/tables"), &bare);
        let again = read(&bare, &options).unwrap();
        assert_eq!(
            again.keys().cloned().collect::<Vec<_>>(),
            collections,
            "{name}"
        );
        // A dimension that does not fit is an error for every segment.
        options["dimension"] = json!(8000);
        assert_eq!(
            read(&bare, &options).err().unwrap().kind(),
            ErrorKind::Format
        );
    }
}

#[test]
fn damaged_segments_are_lost_without_metadata_too() {
    let scratch = tempfile::tempdir().unwrap();
    copy(&golden().join("float_basic"), scratch.path());
    fs::remove_file(scratch.path().join("db/meta.sqlite")).unwrap();
    let tables = scratch.path().join("db/tables/float_basic");
    let cut = tables.join("1795342028263696000/1795342028263696000.rv");
    fs::File::options()
        .write(true)
        .open(cut)
        .unwrap()
        .set_len(99)
        .unwrap();
    fs::write(scratch.path().join("db/tables/stray"), "x").unwrap();
    fs::create_dir(scratch.path().join("db/tables/nothing")).unwrap();
    let options = json!({"metadata": "none"});
    assert_eq!(
        read(scratch.path(), &options).err().unwrap().kind(),
        ErrorKind::Format
    );
    let options = json!({"metadata": "none", "on_error": "skip_segment"});
    let found = read(scratch.path(), &options).unwrap();
    let whole = &found["float_basic"];
    assert_eq!((whole.rows.len(), whole.account.lost), (80, 40));
    let notices = open(scratch.path(), &options)
        .unwrap()
        .inspect()
        .unwrap()
        .notices
        .join("\n");
    assert!(notices.contains("stray is no folder"), "{notices}");
    assert!(notices.contains("`nothing` holds no rows"), "{notices}");
}

#[test]
fn an_id_is_found_in_all_its_places() {
    let locate = |name: &str, id: i64| {
        let home = golden().join(name).display().to_string();
        let options: Milvus1SourceOptions = serde_json::from_value(json!({"path": home})).unwrap();
        let source = ColdSource::open(&home, &options, Services::detached()).unwrap();
        source.locate(id).unwrap()
    };
    let found = locate("wal", 201);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].segment.as_str(), found[0].row, found[0].is_deleted),
        ("wal", Some(1), true)
    );
    let found = locate("wal", 100);
    assert_eq!(found[0].partition.as_deref(), Some("wp"));
    assert!(found[0].is_deleted);
    let found = locate("float_basic", -7);
    assert_eq!(found[0].collection, "float_basic");
    assert!(!found[0].is_deleted);
    assert!(locate("float_basic", 123_456_789).is_empty());
}
