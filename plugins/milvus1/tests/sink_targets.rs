// SPDX-License-Identifier: Apache-2.0
//! What becomes of targets that are there already, or that others write to.

mod server;

use milvusdm_plugin_api::{ErrorKind, Mode};
use serde_json::json;
use server::*;

#[test]
fn modes_keep_add_to_or_replace_what_is_there() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let go = |name: &str, mode, ids: &[i64]| {
        let batch = floats(ids);
        write(&options, &[(target(name, mode, &batch), batch)], 10)
    };
    let held = |tag: &str| {
        let found = server.collection("c").unwrap();
        rows(&found, tag)
            .into_iter()
            .map(|(id, _)| id)
            .collect::<Vec<_>>()
    };
    go("c/p", Mode::Fail, &[1, 2]).unwrap();
    // The collection is there, but nothing was written to its default partition.
    go("c", Mode::Fail, &[3]).unwrap();
    assert_eq!((held("p"), held("_default")), (vec![1, 2], vec![3]));
    go("c/p", Mode::Append, &[4]).unwrap();
    go("c", Mode::Append, &[5]).unwrap();
    assert_eq!((held("p"), held("_default")), (vec![1, 2, 4], vec![3, 5]));
    go("c/p", Mode::Overwrite, &[6]).unwrap();
    assert_eq!((held("p"), held("_default")), (vec![6], vec![3, 5]));
    // The default partition can't be dropped without the others, even empty ones.
    let error = go("c", Mode::Overwrite, &[7]).unwrap_err();
    assert_eq!(error.context_value("option"), Some("drop_partitions"));
    assert_eq!((held("p"), held("_default")), (vec![6], vec![3, 5]));
}

#[test]
fn a_whole_collection_is_replaced_once_whatever_the_order_of_its_partitions() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let all = |base: i64, names: &[&str]| {
        let targets: Vec<_> = (base..)
            .zip(names)
            .map(|(id, name)| {
                let batch = floats(&[id]);
                (target(name, Mode::Overwrite, &batch), batch)
            })
            .collect();
        write(&options, &targets, 10).unwrap();
        let found = server.collection("c").unwrap();
        let tags = found.partitions.iter();
        tags.map(|p| (p.tag.clone(), p.rows.ids.clone()))
            .collect::<Vec<_>>()
    };
    all(1, &["c/p", "c", "c/q"]);
    let found = all(10, &["c/p", "c/q", "c"]);
    let wanted = [("_default", 12), ("p", 10), ("q", 11)];
    assert_eq!(found, wanted.map(|(tag, id)| (tag.to_owned(), vec![id])));
}

#[test]
fn a_collection_can_be_replaced_though_its_name_is_blocked_for_a_while() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({ "retries": 0 }));
    for ids in [[1, 2], [3, 4]] {
        let batch = floats(&ids);
        write(
            &options,
            &[(target("c", Mode::Overwrite, &batch), batch)],
            10,
        )
        .unwrap();
    }
    let found = server.collection("c").unwrap();
    assert_eq!(rows(&found, "_default"), expected(&[3, 4]));
}

#[test]
fn what_others_wrote_meanwhile_is_never_taken_away() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let (ours, theirs) = (floats(&[1, 2]), floats(&[7]));
    // A partition that did not exist when this run looked.
    let run = sink(&options);
    let request = target("c/p", Mode::Append, &ours);
    run.check(std::slice::from_ref(&request)).unwrap();
    write(
        &options,
        &[(target("c/p", Mode::Fail, &theirs), theirs.clone())],
        1,
    )
    .unwrap();
    let writer = run.prepare(&request).unwrap();
    writer.write(Default::default(), ours.clone()).unwrap();
    let error = writer.abort().unwrap_err();
    assert!(
        error.message().contains("2 rows of this run stay"),
        "{error}"
    );
    drop(writer);
    let found = server.collection("c").unwrap();
    let partition = found.partition("p").unwrap();
    assert_eq!(partition.row_count + partition.unflushed_rows, 3);
    // A collection that this run made, and somebody else began to fill.
    let run = sink(&options);
    let writer = run.prepare(&target("d", Mode::Fail, &ours)).unwrap();
    writer.write(Default::default(), ours).unwrap();
    write(&options, &[(target("d", Mode::Append, &theirs), theirs)], 1).unwrap();
    let error = writer.abort().unwrap_err();
    assert!(error.message().contains("another writer"), "{error}");
    drop(writer);
    assert_eq!(server.collection("d").unwrap().row_count(), 3);
}

#[test]
fn a_target_that_appears_after_the_look_stops_the_run() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let (ours, theirs) = (floats(&[1]), floats(&[7]));
    for (name, theirs_name, mode) in [
        ("c", "c", Mode::Overwrite),
        ("d/p", "d/p", Mode::Overwrite),
        ("e", "e/q", Mode::Overwrite),
    ] {
        if name == "e" {
            write(
                &options,
                &[(target(name, Mode::Fail, &theirs), theirs.clone())],
                1,
            )
            .unwrap();
        }
        let run = sink(&options);
        let request = target(name, mode, &ours);
        run.check(std::slice::from_ref(&request)).unwrap();
        write(
            &options,
            &[(target(theirs_name, Mode::Fail, &theirs), theirs.clone())],
            1,
        )
        .unwrap();
        let error = run.prepare(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists, "{name}: {error}");
    }
    for name in ["c", "d", "e"] {
        assert!(server.collection(name).unwrap().row_count() > 0, "{name}");
    }
}
