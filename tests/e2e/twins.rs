// SPDX-License-Identifier: Apache-2.0
//! Each shipped plugin as a file of its own: it keeps its contract, and moves the same bytes as
//! the one that is linked in.

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::Value;

use crate::support::milvus1::{GOLDEN, copy_folder, stored};
use crate::support::{Outcome, Space, data, milvusdm, plugin_file, text};

/// Tries the file of a plugin on a sample.
fn check(space: &Space, name: &str, options: &[&str]) -> Outcome {
    let file = text(plugin_file(name));
    let args = [&["plugins", "check", &file], options].concat();
    milvusdm(space, &args).run().exits(0)
}

fn sample(name: &str) -> String {
    format!("faiss:{}?lossy=allow", text(data(&format!("faiss/{name}"))))
}

#[test]
fn the_loaded_faiss_plugin_keeps_the_contract() {
    let space = Space::new();
    let text_file = space.write("text.index", "no index");
    let (missing, damaged) = (
        "faiss:none.index".to_owned(),
        format!("faiss:{}", text(text_file)),
    );
    for (name, rows) in [
        ("flat_l2", "100"),
        ("idmap_ivf", "100"),
        ("ivf8_flat_dedup", "110"),
        ("ivf4_pq4x4fsr", "150"),
        ("bivf8", "150"),
    ] {
        let source = sample(&format!("{name}.index"));
        let outcome = check(
            &space,
            "faiss",
            &[
                "--source",
                &source,
                "--rows",
                rows,
                "--missing",
                &missing,
                "--damaged",
                &damaged,
            ],
        );
        let outcome = outcome.prints(&["good; `faiss`", "entered by the root module door"]);
        assert!(!outcome.stdout.contains("skipped"), "{outcome}");
    }
}

#[test]
fn the_loaded_hdf5_plugin_keeps_both_contracts() {
    let space = Space::new();
    let damaged = space.write("damaged.h5", "no HDF5 file");
    let shop = text(data("hdf5/shop"));
    check(
        &space,
        "hdf5",
        &[
            "--source",
            &format!("hdf5:{shop}"),
            "--missing",
            "hdf5:none.h5",
            "--damaged",
            &format!("hdf5:{}", text(damaged)),
            "--sink",
            "hdf5:{folder}/out",
            "--read-back",
            "hdf5:{folder}/out/{collection}/{partition}.h5",
        ],
    )
    .prints(&["good; `hdf5`", "hdf5 source", "hdf5 sink"]);
}

#[test]
fn the_loaded_milvus1_plugin_keeps_the_contract() {
    let space = Space::new();
    let damaged = space.path("damaged");
    copy_folder(&data("milvus1/golden/float_basic"), &damaged);
    std::fs::write(damaged.join("db/meta.sqlite"), "no SQLite file").expect("a file of ours");
    let damaged = format!("milvus1:{}", text(damaged));
    for golden in &GOLDEN {
        let source = format!("milvus1:{}", text(golden.path()));
        let rows = golden.count().to_string();
        let samples = ["--missing", "milvus1:none", "--damaged", &damaged];
        let options = [&["--source", &source, "--rows", &rows], &samples[..]].concat();
        let outcome = check(&space, "milvus1", &options);
        outcome.prints(&["good; `milvus1`", "milvus1 source"]);
    }
}

#[test]
fn the_loaded_random_and_null_plugins_keep_their_contracts() {
    let space = Space::new();
    let random = "random:101?dim=3&splits=4&partitions=3";
    check(&space, "random", &["--source", random, "--rows", "101"]);
    check(&space, "null", &["--sink", "null:", "--keeps-nothing"]);
}

/// Runs a task with the linked-in plugins and with the loaded ones, and holds what was written
/// and what was accounted for against each other.
fn same_both_ways(source: &str) {
    let space = Space::new();
    let run = |folder: &str, loaded: bool| -> Value {
        let task = format!("source: {source}\nsink: {{plugin: hdf5, path: {folder}/}}\n");
        let task = text(space.write(&format!("{folder}.yaml"), task));
        let mut args = vec!["run".to_owned(), task, "--json".to_owned()];
        if loaded {
            args.extend(["--prefer".to_owned(), "loaded".to_owned()]);
            for name in ["faiss", "hdf5", "milvus1", "random"] {
                args.extend(["--allow-plugin".to_owned(), text(plugin_file(name))]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        milvusdm(&space, &args).run().exits(0).json()
    };
    let (linked, loaded) = (run("linked", false), run("loaded", true));
    assert_eq!(linked["ledger"], loaded["ledger"]);
    for side in ["source", "sink"] {
        assert_eq!(linked[side]["file"], Value::Null, "{linked:#}");
        assert_eq!(linked[side]["name"], loaded[side]["name"]);
        let sha256 = loaded[side]["sha256"].as_str().unwrap_or_default();
        assert_eq!(sha256.len(), 64, "{loaded:#}");
    }
    let files = space.list("linked");
    assert_eq!(files, space.list("loaded"));
    let mut compared = 0;
    for file in files.iter().filter(|file| file.ends_with(".h5")) {
        let bytes = |folder: &str| std::fs::read(space.path(folder).join(file)).expect("a file");
        assert!(bytes("linked") == bytes("loaded"), "{file} differs");
        compared += 1;
    }
    assert!(compared > 0, "nothing was written: {files:?}");
}

#[test]
fn every_genuine_faiss_file_gives_the_same_bytes_both_ways() {
    let list = std::fs::read(data("faiss/index.json")).expect("the list of golden files");
    let list: Value = serde_json::from_slice(&list).expect("the list is JSON");
    let entries = list.as_array().expect("a list").iter();
    let paths: Vec<String> = entries
        .filter(|entry| entry["expect"] == "rows")
        .map(|entry| {
            text(data(&format!(
                "faiss/{}.index",
                entry["name"].as_str().expect("a name")
            )))
        })
        .collect();
    assert_eq!(paths.len(), 99, "the golden files are complete");
    same_both_ways(&format!("{{plugin: faiss, lossy: allow, path: {paths:?}}}"));
}

#[test]
fn hdf5_files_and_random_rows_give_the_same_bytes_both_ways() {
    same_both_ways(&format!(
        "{{plugin: hdf5, path: {:?}}}",
        text(data("hdf5/shop"))
    ));
    same_both_ways("{plugin: random, rows: 5000, dim: 16, splits: 3, partitions: 2}");
}

#[test]
fn milvus1_directories_give_the_same_bytes_both_ways() {
    for golden in &GOLDEN {
        let path = text(golden.path());
        same_both_ways(&format!("{{plugin: milvus1, path: {path:?}}}"));
    }
}

#[test]
fn a_server_gets_the_same_from_the_loaded_milvus1_plugin() {
    let space = Space::new();
    let file = text(plugin_file("milvus1"));
    let loaded = ["--prefer", "loaded", "--allow-plugin", &file];
    for golden in &GOLDEN {
        let server = Standin::start(StandinOptions::default()).expect("a server");
        let source = format!("milvus1:{}", text(golden.path()));
        let sink = format!("milvus1:{}", server.uri());
        let args = [&["copy", &source, &sink], &loaded[..]].concat();
        milvusdm(&space, &args).run().exits(0);
        assert_eq!(stored(&server), golden.rows(), "{}", golden.name);
    }
}

#[test]
fn a_sample_that_can_not_be_read_says_nothing_of_the_plugin() {
    let space = Space::new();
    let file = text(plugin_file("faiss"));
    let no_index = text(space.write("text.index", "no index"));
    for sample in ["faiss:none.index", &format!("faiss:{no_index}")] {
        let args = ["plugins", "check", &file, "--source", sample, "--json"];
        let outcome = milvusdm(&space, &args).run().exits(2);
        assert_eq!(outcome.json()["verdict"], "untried", "{outcome}");
        outcome.says(&["that of --source", ".index"]);
    }
}

#[test]
fn a_trusted_file_of_another_name_is_not_listed_as_one_that_would_be_found() {
    let space = Space::new();
    let file = text(space.copy(&plugin_file("null"), "plugins/libmilvusdm_other.so"));
    milvusdm(&space, &["plugins", "trust", &file])
        .run()
        .exits(0);
    let args = ["plugins", "list", "--plugin-dir", "plugins", "--json"];
    let listed = milvusdm(&space, &args).run().exits(0).json();
    let refused = listed["files"][0]["refused"]["message"].as_str();
    assert_eq!(
        refused,
        Some("the file holds the plugin `null`, wanted `other`"),
        "{listed:#}"
    );
}
