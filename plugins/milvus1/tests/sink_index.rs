// SPDX-License-Identifier: Apache-2.0
//! Which index a collection has in the end.

mod server;

use milvusdm_plugin_api::Mode;
use serde_json::json;
use server::*;

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
