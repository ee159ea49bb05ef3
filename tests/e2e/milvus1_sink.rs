// SPDX-License-Identifier: Apache-2.0
//! Other formats into a running server: ids kept or made, modes, and what is refused before the
//! first row.

use std::collections::BTreeSet;

use milvusdm_standin::{IdMode, Standin, StandinOptions};
use serde_json::{Value, json};

use crate::support::milvus1::{Rows, rows_of};
use crate::support::{Outcome, Space, data, milvusdm, text};

const DIM: usize = 32;
const ROWS: usize = 100;

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

/// Runs a task into a server; `more` are further keys of the task.
fn run(space: &Space, source: &Value, sink: Value, more: &Value) -> Outcome {
    let mut task = json!({"source": source, "sink": sink});
    for (key, value) in more.as_object().expect("keys") {
        task[key] = value.clone();
    }
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(space, &["run", &task, "--json"]).run()
}

fn sink(server: &Standin) -> Value {
    json!({"plugin": "milvus1", "uri": server.uri()})
}

fn flat() -> Value {
    json!({"plugin": "faiss", "path": text(data("faiss/flat_l2.index"))})
}

/// The rows of that file: it ends with its vectors, and has the ids 0 to 99.
fn flat_rows() -> Rows {
    let file = std::fs::read(data("faiss/flat_l2.index")).expect("a golden file");
    let vectors = &file[file.len() - ROWS * DIM * 4..];
    let vectors = vectors.chunks(DIM * 4).map(<[u8]>::to_vec);
    (0..).zip(vectors).collect()
}

fn held(server: &Standin, collection: &str) -> Rows {
    rows_of(
        &server.collection(collection).expect("a collection"),
        "_default",
    )
}

fn vectors(rows: Rows) -> Vec<Vec<u8>> {
    let mut vectors: Vec<Vec<u8>> = rows.into_iter().map(|(_, vector)| vector).collect();
    vectors.sort();
    vectors
}

#[test]
fn a_faiss_file_arrives_with_its_ids_bit_for_bit() {
    let (space, server) = (Space::new(), server());
    let outcome = run(
        &space,
        &flat(),
        sink(&server),
        &json!({"map": "goods/2021"}),
    );
    assert_eq!(outcome.exits(0).json()["ledger"]["written"], ROWS);
    let found = server.collection("goods").expect("a collection");
    assert_eq!(found.ids, Some(IdMode::User));
    assert_eq!(rows_of(&found, "2021"), flat_rows());
    assert_eq!(rows_of(&found, "_default"), []);
}

#[test]
fn an_index_of_faiss_is_built_as_what_it_is_in_milvus_and_the_plan_says_so() {
    let (space, server) = (Space::new(), server());
    let source = text(data("faiss/ivf8_flat_ids.index"));
    let task = json!({"source": {"plugin": "faiss", "path": source}, "sink": sink(&server)});
    let task = text(space.write("task.yaml", task.to_string()));
    let plan = milvusdm(&space, &["plan", &task]).run().exits(0);
    let said = plan.stdout.clone() + &plan.stderr;
    assert!(said.contains("is built as IVF_FLAT"), "{plan}");
    assert_eq!(server.contents(), [], "a plan changes nothing");
    milvusdm(&space, &["run", &task]).run().exits(0);
    let found = server.collection("ivf8_flat_ids").expect("a collection");
    assert_eq!(
        (found.index_type, found.index_params.as_str()),
        (2, r#"{"nlist":8}"#)
    );
}

#[test]
fn a_binary_index_is_asked_for_by_the_number_that_a_real_server_takes() {
    let (space, server) = (Space::new(), server());
    let source = json!({"plugin": "faiss", "path": text(data("faiss/bivf8.index"))});
    run(&space, &source, sink(&server), &json!({})).exits(0);
    let found = server.collection("bivf8").expect("a collection");
    assert_eq!(
        (found.index_type, found.index_params.as_str()),
        (2, r#"{"nlist":8}"#)
    );
}

#[test]
fn rows_without_ids_get_the_servers_and_a_file_tells_which() {
    let (space, server) = (Space::new(), server());
    let glove = text(data("hdf5/glove-24-angular.hdf5"));
    let source = json!({"plugin": "hdf5", "path": glove, "vectors": "/train"});
    // Milvus has no cosine: the task has to say by what is searched instead.
    let refused = run(&space, &source, sink(&server), &json!({"map": "glove"})).exits(2);
    refused.says(&["no metric", "metric"]);
    assert_eq!(server.contents(), []);
    let mut to = sink(&server);
    to["metric"] = json!("IP");
    to["ids"] = json!("made");
    let report = run(&space, &source, to, &json!({"map": "glove"})).exits(0);
    let written = report.json()["ledger"]["written"].as_u64().expect("rows");
    let found = server.collection("glove").expect("a collection");
    assert_eq!(found.ids, Some(IdMode::Auto));
    let ids = &found.partition("_default").expect("a partition").rows.ids;
    let distinct: BTreeSet<i64> = ids.iter().copied().collect();
    assert_eq!(distinct.len() as u64, written);
    let files = space.list("made");
    let listed = std::fs::read_to_string(space.path("made").join(&files[0])).expect("ids");
    let listed: Vec<i64> = listed
        .lines()
        .map(|id| id.parse().expect("an id"))
        .collect();
    assert_eq!(&listed, ids, "{files:?}");
}

#[test]
fn ids_are_left_to_the_server_where_the_task_wants_that() {
    let (space, server) = (Space::new(), server());
    let more = json!({"convert": {"ids": "generate"}});
    run(&space, &flat(), sink(&server), &more).exits(0);
    let found = server.collection("flat_l2").expect("a collection");
    assert_eq!(found.ids, Some(IdMode::Auto));
    assert_eq!(
        vectors(held(&server, "flat_l2")),
        vectors(flat_rows()),
        "the vectors are the same"
    );
    // And then rows with ids don't go there any more.
    let outcome = run(&space, &flat(), sink(&server), &json!({"mode": "append"}));
    outcome.exits(2).says(&["generate"]);
    assert_eq!(held(&server, "flat_l2").len(), ROWS);
}

#[test]
fn a_target_that_is_there_is_refused_skipped_added_to_or_replaced() {
    let (space, server) = (Space::new(), server());
    let go = |mode: &str| run(&space, &flat(), sink(&server), &json!({"mode": mode}));
    let twice = || [flat_rows(), flat_rows()].concat();
    go("fail").exits(0);
    let refused = go("fail").exits(2);
    refused.says(&[&server.uri(), "flat_l2", "exist", "overwrite"]);
    assert_eq!(held(&server, "flat_l2"), flat_rows());
    let skipped = go("skip").exits(0).json();
    assert_eq!(skipped["ledger"]["skipped"], ROWS);
    assert_eq!(skipped["targets"][0]["status"], "skipped");
    assert_eq!(held(&server, "flat_l2"), flat_rows());
    go("append").exits(0);
    let mut wanted = twice();
    wanted.sort();
    assert_eq!(held(&server, "flat_l2"), wanted);
    go("overwrite").exits(0);
    assert_eq!(held(&server, "flat_l2"), flat_rows());
}

#[test]
fn replacing_the_default_partition_takes_no_others_along_without_leave() {
    let (space, server) = (Space::new(), server());
    let into = |map: &str, sink: Value, mode: &str| {
        let more = json!({"mode": mode, "map": map});
        run(&space, &flat(), sink, &more)
    };
    into("goods/2020", sink(&server), "fail").exits(0);
    into("goods/_default", sink(&server), "fail").exits(0);
    let refused = into("goods/_default", sink(&server), "overwrite").exits(2);
    refused.says(&["2020", "drop_partitions"]);
    let found = server.collection("goods").expect("a collection");
    assert_eq!(found.row_count(), 2 * ROWS as u64);
    let mut leave = sink(&server);
    leave["drop_partitions"] = json!(true);
    into("goods/_default", leave, "overwrite").exits(0);
    let found = server.collection("goods").expect("a collection");
    assert_eq!(found.partition("2020"), None);
    assert_eq!(rows_of(&found, "_default"), flat_rows());
}

#[test]
fn what_milvus_can_not_hold_is_refused_before_anything_is_made() {
    let (space, server) = (Space::new(), server());
    for (more, said) in [
        (json!({"map": "no-such-name"}), "can't name a collection"),
        (json!({"map": "goods/ p"}), "can't name a partition"),
    ] {
        run(&space, &flat(), sink(&server), &more)
            .exits(2)
            .says(&[said, "map"]);
    }
    let mut other = sink(&server);
    other["dimension"] = json!(16);
    let refused = run(&space, &flat(), other, &json!({})).exits(2);
    refused.says(&["dimension 32", "16"]);
    assert_eq!(server.contents(), []);
}
