// SPDX-License-Identifier: Apache-2.0
//! Old tasks, the tasks that they become, and where errors about them point.

use serde_json::json;

use super::super::env::NotText;
use super::super::{Defaults, Side, Task, resolve};
use super::*;
use milvusdm_plugin_api::{Error, PluginInfo};

const F2M: &str = "\
F2M:
  milvus_version: 1.x
  data_path: '/home/data/faiss1.index'
  dest_host: '127.0.0.1'
  dest_port: 19530
  mode: 'append'
  dest_collection_name: 'test'
  dest_partition_name: ''
  collection_parameter:
    dimension: 256
    index_file_size: 1024
    metric_type: 'L2'
";
const H2M: &str = "\
H2M:
  milvus-version: 1.x
  data_path:
    - /data/float_1.h5
    - /data/float_2.h5
  data_dir:
  dest_host: '127.0.0.1'
  dest_port: 19530
  mode: 'overwrite'
  dest_collection_name: 'test_float'
  dest_partition_name: 'partition_1'
  collection_parameter:
    dimension: 128
    index_file_size: 1024
    metric_type: 'L2'
";
const M2M: &str = "\
M2M:
  milvus_version: 1.x
  source_milvus_path: '/home/user/milvus'
  mysql_parameter:
    host: '127.0.0.1'
    user: 'root'
    port: 3306
    password: 'p@ss$/word'
    database: 'milvus'
  source_collection:
    test: ['partition_1', 'partition_2']
  dest_host: '127.0.0.1'
  dest_port: 19530
  mode: 'skip'
";
const M2H: &str = "\
M2H:
  milvus_version: 1.x
  source_milvus_path: '/home/user/milvus'
  mysql_parameter:
  source_collection:
    test:
  data_dir: '/home/user/data'
";

fn env(name: &str) -> Option<Result<String, NotText>> {
    (name == "HOME").then(|| Ok("/home/me".to_owned()))
}

fn parse(text: &str) -> Result<Task, Error> {
    resolve::task(text, "old.yaml", &Defaults::default(), &env)
}

fn translated(text: &str, purpose: Purpose<'_>) -> Translated {
    let document: Value = serde_yaml::from_str(text).unwrap();
    let channel = Channel::of(&document).unwrap().unwrap();
    translate(channel, &document, purpose).unwrap_or_else(|fault| panic!("{}", fault.message))
}

fn document(text: &str) -> Value {
    translated(text, Purpose::Run(&env)).document
}

/// Where an error points, and what it says.
#[track_caller]
fn assert_refused(text: &str, at: &str, says: &str) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.context_value("at"), Some(at), "{error}");
    let said = format!(
        "{} {}",
        error.message(),
        error.help_text().unwrap_or_default()
    );
    assert!(said.contains(says), "wanted `{says}`: {said}");
}

#[test]
fn the_original_task_files_become_tasks_of_today() {
    let sink = |more: Value| {
        let mut sink = json!({
            "plugin": "milvus1", "uri": "grpc://127.0.0.1:19530", "index_file_size": 1024,
            "metric": "L2", "ids": "${HOME}/milvusdm/ids",
        });
        sink.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        sink
    };
    assert_eq!(
        document(F2M),
        json!({
            "source": {"plugin": "faiss", "path": "/home/data/faiss1.index"},
            "sink": sink(json!({"dimension": 256, "index": "none"})),
            "map": "test/_default",
            "mode": "append",
        })
    );
    assert_eq!(
        document(H2M),
        json!({
            "source": {
                "plugin": "hdf5", "path": ["/data/float_1.h5", "/data/float_2.h5"],
                "vectors": "embeddings", "columns": "none",
            },
            "sink": sink(json!({"dimension": 128})),
            "map": "test_float/partition_1",
            "mode": "overwrite",
        })
    );
    assert_eq!(
        document(M2M),
        json!({
            "source": {
                "plugin": "milvus1", "path": "/home/user/milvus",
                "metadata": "mysql://root:p%40ss%24%2Fword@127.0.0.1:3306/milvus",
            },
            "select": {"include": ["test/partition_1", "test/partition_2"]},
            "sink": {"plugin": "milvus1", "uri": "grpc://127.0.0.1:19530"},
            "mode": "skip",
        })
    );
    let m2h = document(M2H);
    assert_eq!(
        m2h["source"],
        json!({"plugin": "milvus1", "path": "/home/user/milvus"})
    );
    assert_eq!(m2h["select"], json!({"include": ["test"]}));
    let path = m2h["sink"]["path"].as_str().unwrap();
    assert!(
        path.starts_with("/home/user/data/") && path.len() > 30,
        "{path}"
    );
    assert_ne!(
        document(M2H)["sink"],
        m2h["sink"],
        "each run has a folder of its own"
    );
    for text in [F2M, H2M, M2M, M2H] {
        let task = parse(text).unwrap();
        assert_eq!(task.load_back.is_some(), text == M2H);
    }
}

#[test]
fn overwriting_drops_the_collection_unless_a_partition_is_named() {
    let drops = |text: &str| document(text)["sink"]["drop_partitions"] == json!(true);
    let overwrite = |text: &str| {
        text.replace("'append'", "overwrite")
            .replace("'skip'", "overwrite")
    };
    assert!(!drops(F2M) && !drops(H2M) && !drops(M2M));
    assert!(drops(&overwrite(F2M)));
    assert!(drops(&H2M.replace("'partition_1'", "")));
    assert!(
        drops(&overwrite(M2M)),
        "the default partition is written with all others only"
    );
    assert!(!drops(&overwrite(
        &M2M.replace("'partition_1'", "_default")
    )));
}

#[test]
fn collections_are_named_listed_excluded_and_merged() {
    let with = |lines: &str| {
        M2M.replace(
            "  source_collection:\n    test: ['partition_1', 'partition_2']\n",
            lines,
        )
    };
    let text = with(
        "  source_collection:\n    a:\n    b: ['', 'x*', 'y/z']\n    'log*': '*'\n  \
         exclude_collection: {logs_old: , b: [y]}\n  dest_collection_name: all\n",
    );
    let task = document(&text);
    assert_eq!(
        task["select"],
        json!({
            "include": ["a", "b/_default", "b/x\\*", "b/y/z", "log*/*"],
            "exclude": ["b/y", "logs_old"],
        })
    );
    assert_eq!(task["map"], "all");
    let one = |lines: &str| document(&with(lines));
    assert_eq!(one("  source_collection: '*'\n").get("select"), None);
    let merged = one("  source_collection: '*'\n  dest_partition_name: 'p{1}'\n");
    assert_eq!(merged["map"], "{collection}/p{{1}}");
    let at = "old.yaml:10:22";
    assert_refused(
        &with("  source_collection: test\n"),
        at,
        "wanted `*` or collections",
    );
    assert_refused(
        &with("  source_collection: {}\n"),
        at,
        "found no collection",
    );
    assert_refused(
        &with("  source_collection:\n    a/b:\n"),
        "old.yaml:11:5",
        "[p1, p2]",
    );
}

#[test]
fn keys_are_taken_in_every_spelling_that_is_in_the_field() {
    let same = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        assert_eq!(document(&text.replace(from, to)), document(text), "{to}");
    };
    same(H2M, "milvus-version: 1.x", "milvus_version: 1.0");
    same(H2M, "  milvus-version: 1.x\n", "");
    same(H2M, "  data_dir:\n", "");
    same(H2M, "  data_dir:\n", "  data_dir: ''\n");
    same(F2M, "19530", "'19530'");
    same(F2M, "  dest_partition_name: ''\n", "");
    same(F2M, "dest_partition_name: ''", "dest_partition_name:");
    same(M2M, "    port: 3306\n", "");
    let folder = H2M.replace(
        "  data_path:\n    - /data/float_1.h5\n    - /data/float_2.h5\n  data_dir:",
        "  data_dir: /da[ta/",
    );
    assert_eq!(document(&folder)["source"]["path"], "/da[[]ta/*.h5");
}

#[test]
fn dollars_are_dollars_and_passwords_stay_out_of_converted_tasks() {
    let text = F2M.replace("/home/data/faiss1.index", "${HOME}/$a");
    assert_eq!(parse(&text).unwrap().source.options["path"], "${HOME}/$a");
    let shown = translated(M2M, Purpose::Show(&env));
    let metadata = "mysql://root:${MYSQL_PASSWORD}@127.0.0.1:3306/milvus";
    assert_eq!(shown.document["source"]["metadata"], metadata);
    assert!(
        shown
            .notes
            .iter()
            .any(|note| note.text.contains("MYSQL_PASSWORD"))
    );
    assert_eq!(
        translated(M2H, Purpose::Show(&env)).document["sink"]["path"],
        "/home/user/data/${RUN_ID}"
    );
}

#[test]
fn errors_point_into_the_old_file_in_its_words() {
    let swap = |text: &str, from: &str, to: &str| text.replace(from, to);
    assert_refused(
        &swap(F2M, "dest_port", "dest_prot"),
        "old.yaml:5:3",
        "did you mean `dest_port`?",
    );
    assert_refused(
        &swap(F2M, "'append'", "apend"),
        "old.yaml:6:9",
        "did you mean `append`?",
    );
    assert_refused(
        &swap(F2M, "  mode: 'append'\n", ""),
        "old.yaml:1:1",
        "`mode` is missing in F2M",
    );
    assert_refused(
        &swap(F2M, "256", "'256'"),
        "old.yaml:10:16",
        "leave the quotes away",
    );
    assert_refused(
        &swap(F2M, "1.x", "2.x"),
        "old.yaml:2:19",
        "the plugin `milvus2`",
    );
    assert_refused(&swap(F2M, "19530", "port"), "old.yaml:5:14", "no port");
    assert_refused(
        &swap(H2M, "data_dir:", "data_dir: /data"),
        "old.yaml:6:13",
        "wanted one of them",
    );
    assert_refused(
        &swap(M2M, "'p@ss$/word'", "123456"),
        "old.yaml:8:15",
        "a secret number",
    );
    assert_refused(&format!("{F2M}M2H: {{}}\n"), "old.yaml:13:1", "one channel");
    assert_refused("F2M:\n", "old.yaml:1:1", "F2M: found nothing");
}

#[test]
fn errors_of_the_plugin_behind_it_point_into_the_old_file_too() {
    let info = PluginInfo {
        name: "milvus1".to_owned(),
        version: "1".to_owned(),
        summary: String::new(),
        docs: String::new(),
        source_options: None,
        sink_options: Some(json!({
            "type": "object",
            "properties": {"uri": {"type": "string"}, "index_file_size": {"type": "integer", "maximum": 10}},
        })),
        panic: Default::default(),
    };
    let task = parse(F2M).unwrap();
    let error = task.check_options(Side::Sink, &info).unwrap_err();
    assert_eq!(error.context_value("at"), Some("old.yaml:11:22"), "{error}");
    assert!(
        error
            .message()
            .starts_with("F2M.collection_parameter.index_file_size: "),
        "{error}"
    );
    let wrong = |option: &str| Error::new(ErrorKind::Config, "no").with("option", option);
    let at = |task: &Task, side, option: &str| {
        let error = task.locate(side, wrong(option));
        error.context_value("at").map(str::to_owned).unwrap()
    };
    assert_eq!(at(&task, Side::Sink, "uri"), "old.yaml:4:14");
    assert_eq!(at(&task, Side::Sink, "metric"), "old.yaml:12:18");
    let task = parse(M2M).unwrap();
    assert_eq!(at(&task, Side::Source, "metadata"), "old.yaml:5:5");
    let nothing = Error::new(ErrorKind::Config, "matches nothing");
    let error = task.locate_pointer("/select/include/1", nothing);
    assert_eq!(error.context_value("at"), Some("old.yaml:11:27"), "{error}");
    assert!(!format!("{error:?}").contains("p@ss"), "{error:?}");
}
