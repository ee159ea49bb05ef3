// SPDX-License-Identifier: Apache-2.0
//! What the sink makes of a server, whatever the server does.

mod server;

use milvusdm_plugin_api::{ErrorKind, Mode, Services};
use milvusdm_plugin_milvus1::PLUGIN_TABLE;
use milvusdm_standin::{IdMode, Standin, StandinOptions, Vectors};
use serde_json::{Value, json};
use server::*;

fn ids(count: i64) -> Vec<i64> {
    (0..count).collect()
}

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

/// Whether a request was stored before the connection was cut is found by counting.
#[test]
fn a_connection_that_is_cut_neither_doubles_rows_nor_loses_any() {
    for trouble in [
        "insert@1=drop-before",
        "insert@1=drop-after",
        "insert@3=drop-before",
        "insert@3=drop-after",
        "insert@2=unavailable",
        "flush@1=drop-after",
        "show_collection_info@2=drop-before",
    ] {
        let server = server();
        let folder = tempfile::tempdir().unwrap();
        fault(&server, trouble);
        let batch = floats(&ids(100));
        let options = options(&server, folder.path(), json!({}));
        let written = write(&options, &[(target("c", Mode::Fail, &batch), batch)], 20);
        let written = written.unwrap_or_else(|e| panic!("{trouble}: {e}"));
        assert_eq!(written[0].ack.rows_added, Some(100), "{trouble}");
        let found = server.collection("c").unwrap();
        assert_eq!(rows(&found, "_default"), expected(&ids(100)), "{trouble}");
    }
}

#[test]
fn a_server_that_stays_away_is_an_error_that_names_it() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    fault(&server, "insert@2+=unavailable:gone fishing");
    let batch = floats(&ids(100));
    let options = options(&server, folder.path(), json!({ "retries": 2 }));
    let error = write(&options, &[(target("c", Mode::Fail, &batch), batch)], 20).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("gone fishing") && text.contains(&server.uri()),
        "{text}"
    );
    assert_eq!(server.collection("c"), None, "what was new is taken back");
}

#[test]
fn a_server_that_stalls_is_given_up_after_a_while() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    fault(&server, "describe_collection=stall");
    let batch = floats(&ids(3));
    let options = options(&server, folder.path(), json!({ "timeout": 1 }));
    let error = write(&options, &[(target("c", Mode::Fail, &batch), batch)], 20).unwrap_err();
    assert!(
        error.to_string().contains("no answer within 1 s"),
        "{error}"
    );
}

#[test]
fn rows_that_the_server_loses_are_missed_in_the_end() {
    let server = Standin::start(StandinOptions {
        auto_flush: None,
        ..StandinOptions::default()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let batch = floats(&ids(10));
    let options = options(&server, folder.path(), json!({}));
    let sink = PLUGIN_TABLE
        .handle()
        .open_sink(&options, Services::detached())
        .unwrap();
    let writer = sink.prepare(&target("c", Mode::Fail, &batch)).unwrap();
    writer.write(Default::default(), batch).unwrap();
    // Somebody deletes two of them meanwhile.
    delete(&server, "c", &[3, 4]);
    assert_eq!(writer.finish().unwrap().rows_added, Some(8));
}

fn delete(server: &Standin, collection: &str, ids: &[i64]) {
    use milvusdm_proto::milvus1::DeleteByIdParam;
    use milvusdm_proto::milvus1::milvus_service_client::MilvusServiceClient;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let uri = server.uri().replace("grpc:", "http:");
    runtime.block_on(async {
        let mut client = MilvusServiceClient::connect(uri).await.unwrap();
        let param = DeleteByIdParam {
            collection_name: collection.to_owned(),
            id_array: ids.to_vec(),
            partition_tag: String::new(),
        };
        client.delete_by_id(param).await.unwrap();
    });
}

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

#[test]
fn the_source_s_index_is_built_when_all_partitions_are_there() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let index = json!({"family":"ivf","quantizer":"none","native":
        {"system":"milvus1","type":"IVF_FLAT","type_id":2,"params":{"nlist":16}}});
    let with_index = |name: &str| {
        let batch = floats(&[1, 2]);
        let mut request = target(name, Mode::Fail, &batch);
        request.spec.descriptor.indexes = vec![serde_json::from_value(index.clone()).unwrap()];
        (request, batch)
    };
    let targets = [with_index("c"), with_index("c/p")];
    write(&options(&server, folder.path(), json!({})), &targets, 2).unwrap();
    let found = server.collection("c").unwrap();
    assert_eq!(
        (found.index_type, found.index_params.as_str()),
        (2, r#"{"nlist":16}"#)
    );
    let targets = [with_index("d")];
    let none = options(&server, folder.path(), json!({ "index": "none" }));
    write(&none, &targets, 2).unwrap();
    assert_eq!(server.collection("d").unwrap().index_type, 1);
    let targets = [with_index("e")];
    let own = json!({ "index": {"type": "HNSW", "params": {"M": 8, "efConstruction": 64}} });
    write(&options(&server, folder.path(), own), &targets, 2).unwrap();
    assert_eq!(server.collection("e").unwrap().index_type, 11);
}

#[test]
fn a_server_that_is_no_milvus_1_says_so_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let batch = floats(&[1]);
    let later = Standin::start(StandinOptions {
        version: "2.3.5".to_owned(),
        ..StandinOptions::default()
    })
    .unwrap();
    let stranger = server();
    fault(&stranger, "*=unimplemented");
    for server in [later, stranger] {
        let options = options(&server, folder.path(), json!({}));
        let targets = [(target("c", Mode::Fail, &batch), batch.clone())];
        let error = write(&options, &targets, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("milvus2"), "{error}");
    }
    let options = json!({ "uri": "grpc://127.0.0.1:1", "retries": 0 });
    let targets = [(target("c", Mode::Fail, &batch), batch.clone())];
    let error = write(&options, &targets, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote, "{error}");
    assert!(error.to_string().contains("grpc://127.0.0.1:1"), "{error}");
}

#[test]
fn changes_whose_answer_was_lost_are_taken_as_made() {
    for trouble in [
        "drop_collection@1=drop-after",
        "create_collection@1=drop-after",
        "create_partition@1=drop-after",
        "drop_collection@1=drop-before",
    ] {
        let server = server();
        let folder = tempfile::tempdir().unwrap();
        let options = options(&server, folder.path(), json!({}));
        let old = floats(&[1]);
        write(&options, &[(target("c", Mode::Fail, &old), old)], 10).unwrap();
        fault(&server, trouble);
        let (new, part) = (floats(&[2, 3]), floats(&[4]));
        let targets = [
            (target("c", Mode::Overwrite, &new), new),
            (target("c/p", Mode::Overwrite, &part), part),
        ];
        write(&options, &targets, 10).unwrap_or_else(|e| panic!("{trouble}: {e}"));
        let found = server.collection("c").unwrap();
        assert_eq!(rows(&found, "_default"), expected(&[2, 3]), "{trouble}");
        assert_eq!(rows(&found, "p"), expected(&[4]), "{trouble}");
    }
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

fn sink(options: &Value) -> milvusdm_plugin_api::abi::SinkHandle {
    let plugin = PLUGIN_TABLE.handle();
    plugin.open_sink(options, Services::detached()).unwrap()
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

/// Appended rows whose answer was lost may be there: the run does not say that nothing is left.
#[test]
fn rows_that_may_be_there_are_not_said_to_be_taken_back() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let options = options(
        &server,
        folder.path(),
        json!({ "retries": 1, "timeout": 1 }),
    );
    let (old, ours) = (floats(&[1]), floats(&[2, 3]));
    write(&options, &[(target("c", Mode::Fail, &old), old)], 1).unwrap();
    let run = sink(&options);
    let writer = run.prepare(&target("c", Mode::Append, &ours)).unwrap();
    fault(&server, "insert=drop-after");
    fault(&server, "show_collection_info=stall");
    writer.write(Default::default(), ours).unwrap_err();
    server.clear_faults();
    let error = writer.abort().unwrap_err();
    assert!(error.message().contains("0 to 2 rows"), "{error}");
}

#[test]
fn an_index_that_can_not_be_built_is_refused_or_left_out_beforehand() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let batch = floats(&[1]);
    for own in [
        json!({"type": "HNSW", "params": {"M": 128, "efConstruction": 100}}),
        json!({"type": "IVF_FLAT"}),
        json!({"type": "BIN_IVF_FLAT", "params": {"nlist": 4}}),
    ] {
        let options = options(&server, folder.path(), json!({ "index": own }));
        let error = write(
            &options,
            &[(target("c", Mode::Fail, &batch), batch.clone())],
            1,
        );
        assert_eq!(error.unwrap_err().context_value("option"), Some("index"));
    }
    assert_eq!(server.collection("c"), None);
}

#[test]
fn an_append_leaves_the_index_that_is_there() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let batch = floats(&[1]);
    let own = json!({ "index": {"type": "HNSW", "params": {"M": 8, "efConstruction": 64}} });
    let with_own = options(&server, folder.path(), own);
    write(
        &with_own,
        &[(target("c", Mode::Fail, &batch), batch.clone())],
        1,
    )
    .unwrap();
    let mut request = target("c", Mode::Append, &batch);
    let ivf = json!({"family": "ivf", "quantizer": "none", "params": {"nlist": 8}});
    request.spec.descriptor.indexes = vec![serde_json::from_value(ivf).unwrap()];
    let plain = options(&server, folder.path(), json!({}));
    write(&plain, &[(request, batch)], 1).unwrap();
    assert_eq!(server.collection("c").unwrap().index_type, 11);
}

#[test]
fn rows_that_arrived_stay_though_their_index_could_not_be_built() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    fault(&server, "create_index=refuse:out of memory");
    let batch = floats(&[1, 2]);
    let own = json!({ "index": {"type": "IVF_FLAT", "params": {"nlist": 8}} });
    let run = sink(&options(&server, folder.path(), own));
    let writer = run.prepare(&target("c", Mode::Fail, &batch)).unwrap();
    writer.write(Default::default(), batch).unwrap();
    let error = writer.finish().unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
    let error = writer.abort().unwrap_err();
    assert!(error.message().contains("2 rows stay"), "{error}");
    drop(writer);
    assert_eq!(server.collection("c").unwrap().row_count(), 2);
}
