// SPDX-License-Identifier: Apache-2.0
//! What of rows, ids and values reaches a server.

mod server;

use milvusdm_plugin_api::{ErrorKind, Mode};
use milvusdm_standin::{IdMode, Vectors};
use serde_json::{Value, json};
use server::*;

#[test]
fn rows_ids_partitions_and_settings_arrive_as_they_are() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (floats(&ids(100)), floats(&[-7, 0, 1 << 62]));
    let targets = [
        (target("c", Mode::Fail, &here), here),
        (target("c/alpha beta", Mode::Fail, &there), there),
    ];
    let options = options(&server, folder.path(), json!({ "index_file_size": 77 }));
    let written = write(&options, &targets, 33).unwrap();
    assert_eq!(written[0].ack.rows_added, Some(100));
    assert_eq!(written[1].ack.rows_added, Some(3));
    let found = server.collection("c").unwrap();
    assert_eq!((found.dimension, found.index_file_size_mib), (DIM, 77));
    assert_eq!(found.ids, Some(IdMode::User));
    assert_eq!(rows(&found, "_default"), expected(&ids(100)));
    assert_eq!(rows(&found, "alpha beta"), expected(&[-7, 0, 1 << 62]));
}

#[test]
fn binary_vectors_arrive_bit_by_bit() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let batch = bits(&[1, 2, 65_535]);
    let targets = [(target("b", Mode::Fail, &batch), batch)];
    write(&options(&server, folder.path(), json!({})), &targets, 2).unwrap();
    let found = server.collection("b").unwrap();
    let rows = &found.partition("_default").unwrap().rows;
    assert_eq!(rows.vectors, Vectors::Binary(vec![1, 0, 2, 0, 255, 255]));
}

#[test]
fn ids_are_left_to_the_server_where_there_are_none_and_kept_in_a_file() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let values = [1, 2, 3].map(vector).concat();
    let batch = floats_of(None, values);
    let mut request = target("c", Mode::Fail, &batch);
    request.spec.parts[0].descriptor.collection = "vectors".to_owned();
    let options = options(
        &server,
        folder.path(),
        json!({ "ids": folder.path().join("ids") }),
    );
    write(&options, &[(request, batch)], 2).unwrap();
    let found = server.collection("c").unwrap();
    assert_eq!(found.ids, Some(IdMode::Auto));
    let made = &found.partition("_default").unwrap().rows.ids;
    let file = std::fs::read_dir(folder.path().join("ids")).unwrap().next();
    let file = file.unwrap().unwrap();
    assert!(file.file_name().to_string_lossy().starts_with("vectors_"));
    let text = std::fs::read_to_string(file.path()).unwrap();
    let listed: Vec<i64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(&listed, made);
}

#[test]
fn a_collection_of_the_other_kind_of_ids_is_refused_before_the_first_row() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let given = floats(&ids(5));
    write(&options, &[(target("c", Mode::Fail, &given), given)], 5).unwrap();
    let none = floats_of(None, vector(9));
    let error = write(&options, &[(target("c", Mode::Append, &none), none)], 5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("user-defined"), "{error}");
    assert_eq!(server.collection("c").unwrap().row_count(), 5);
}

#[test]
fn refused_rows_are_found_and_kept_and_the_others_are_written() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    for id in [0, 13, 14, 99] {
        fault(&server, &format!("insert:id={id}=refuse:no such luck"));
    }
    let batch = floats(&ids(100));
    let options = options(&server, folder.path(), json!({}));
    let written = write(&options, &[(target("c", Mode::Fail, &batch), batch)], 60).unwrap();
    let rejected: Vec<_> = written[0]
        .rejected
        .iter()
        .map(|row| (row.id.clone().unwrap(), row.row))
        .collect();
    let wanted = [("0", 0), ("13", 13), ("14", 14), ("99", 39)];
    assert_eq!(rejected, wanted.map(|(id, row)| (id.to_owned(), row)));
    let kept: Vec<i64> = ids(100)
        .into_iter()
        .filter(|id| ![0, 13, 14, 99].contains(id))
        .collect();
    let found = server.collection("c").unwrap();
    assert_eq!(rows(&found, "_default"), expected(&kept));
    let file = std::fs::read_dir(folder.path().join("rejects"))
        .unwrap()
        .next();
    let text = std::fs::read_to_string(file.unwrap().unwrap().path()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1]["id"], 13);
    assert_eq!(lines[1]["reason"], "no such luck");
    assert_eq!(lines[1]["vector"], json!(vector(13)));
}

#[test]
fn a_server_that_refuses_everything_ends_the_run_soon_and_keeps_nothing() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    fault(&server, "insert=refuse:not today");
    let batch = floats(&ids(5000));
    let options = options(&server, folder.path(), json!({}));
    let error = write(&options, &[(target("c", Mode::Fail, &batch), batch)], 5000).unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(server.collection("c"), None);
}

#[test]
fn values_that_are_no_numbers_are_stored_or_rejected_as_the_task_says() {
    let values = [
        vector(1),
        vec![0.0, f32::NAN, 0.0, f32::INFINITY],
        vector(3),
    ]
    .concat();
    let batch = floats_of(Some(&[1, 2, 3]), values.clone());
    for (choice, stored) in [("keep", 3), ("reject", 2)] {
        let server = server();
        let folder = tempfile::tempdir().unwrap();
        let options = options(&server, folder.path(), json!({ "non_finite": choice }));
        let target = target("c", Mode::Fail, &batch);
        let written = write(&options, &[(target, batch.clone())], 3).unwrap();
        assert_eq!(written[0].ack.rows_added, Some(stored));
        assert_eq!(written[0].rejected.len() as u64, 3 - stored);
        if choice == "keep" {
            let found = server.collection("c").unwrap();
            let Vectors::Float(found) = &found.partition("_default").unwrap().rows.vectors else {
                panic!("no floats");
            };
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(found), bits(&values));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_differs() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&server, folder.path(), json!({}));
    let batch = floats(&ids(3));
    write(
        &options,
        &[(target("c", Mode::Fail, &batch), batch.clone())],
        3,
    )
    .unwrap();
    let binary = bits(&[1]);
    for (request, batch, wanted) in [
        (
            target("c", Mode::Append, &binary),
            &binary,
            "vectors of kind float",
        ),
        (
            target("1c", Mode::Fail, &batch),
            &batch,
            "can't name a collection",
        ),
        (
            target("c-d", Mode::Fail, &batch),
            &batch,
            "can't name a collection",
        ),
        (
            target("d/ p", Mode::Fail, &batch),
            &batch,
            "can't name a partition",
        ),
        (
            target("d/", Mode::Fail, &batch),
            &batch,
            "can't name a partition",
        ),
    ] {
        let error = write(&options, &[(request, batch.clone())], 3).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
