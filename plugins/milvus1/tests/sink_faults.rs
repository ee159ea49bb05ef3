// SPDX-License-Identifier: Apache-2.0
//! What the sink makes of a server that fails: no row twice, none missing, no word that is not so.

mod server;

use milvusdm_plugin_api::{ErrorKind, Mode, Services};
use milvusdm_plugin_milvus1::PLUGIN_TABLE;
use milvusdm_standin::{Standin, StandinOptions};
use serde_json::json;
use server::*;

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
