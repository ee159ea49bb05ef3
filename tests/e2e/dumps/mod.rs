// SPDX-License-Identifier: Apache-2.0
//! Dumps and what they restore; receipts that were altered.

mod altered;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::Value;

use crate::support::milvus1::{GOLDEN, copy_folder, stored};
use crate::support::{Outcome, Space, milvusdm, read_h5, text};

fn run(space: &Space, args: &[&str]) -> Outcome {
    milvusdm(space, args).run()
}

fn manifest(space: &Space) -> Value {
    let text = std::fs::read(space.path("backup/manifest.json")).expect("a manifest");
    serde_json::from_slice(&text).expect("a JSON document")
}

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

#[test]
fn every_golden_directory_comes_back_from_its_dump() {
    for golden in &GOLDEN {
        let (space, server) = (Space::new(), server());
        let source = format!("milvus1:{}", text(golden.path()));
        run(&space, &["dump", &source, "backup"]).exits(0);
        let sink = format!("milvus1:?uri={}", server.uri());
        let report = run(&space, &["restore", "backup", &sink, "--json"])
            .exits(0)
            .json();
        assert_eq!(
            report["ledger"]["written"],
            golden.count(),
            "{}",
            golden.name
        );
        assert_eq!(stored(&server), golden.rows(), "{}", golden.name);
        for (name, about) in golden.collections() {
            let found = server.collection(&name).expect("a collection");
            let size = &about["index_file_size"];
            assert_eq!(*size, found.index_file_size_mib, "{}: {name}", golden.name);
            assert_eq!(
                about["index"]["type_code"], found.index_type,
                "{}: {name}",
                golden.name
            );
        }
    }
}

#[test]
fn a_second_dump_writes_what_changed_and_drops_what_is_gone() {
    let space = Space::new();
    let make = |file: &str, seed: &str| {
        let source = format!("random:50?dim=4&seed={seed}");
        let sink = format!("hdf5:in/{file}.h5");
        let args = [
            "copy",
            &source,
            &sink,
            "--map",
            file,
            "--mode",
            "overwrite",
            "--no-journal",
        ];
        run(&space, &args).exits(0);
    };
    for (file, seed) in [("a", "1"), ("b", "2"), ("c", "3")] {
        make(file, seed);
    }
    let dump = ["dump", "hdf5:in/?columns=none", "backup", "--json"];
    let first = run(&space, &dump).exits(0).json();
    assert_eq!(first["ledger"]["written"], 150, "{first:#}");
    let before = files_of(&space.path("backup"));
    let again = run(&space, &dump).exits(0).json();
    assert_eq!(again["ledger"]["written"], 0, "{again:#}");
    assert_eq!(
        files_of(&space.path("backup")),
        before,
        "nothing is written"
    );
    make("b", "4");
    std::fs::remove_file(space.path("in/c.h5")).expect("a file of ours");
    // What can't be removed now is removed by the next one.
    let gone = space.path("backup/c/_default.h5");
    std::fs::rename(&gone, space.path("kept.h5")).expect("a file of the dump");
    std::fs::create_dir(&gone).expect("something in its place");
    let third = run(&space, &dump).exits(0).json();
    assert!(third["notices"].to_string().contains("stays"), "{third:#}");
    std::fs::remove_dir(&gone).expect("something in its place");
    std::fs::rename(space.path("kept.h5"), &gone).expect("a file of the dump");
    run(&space, &dump).exits(0);
    assert!(!gone.exists());
    assert_eq!(third["ledger"]["written"], 50, "{third:#}");
    let names: Vec<Value> = manifest(&space)["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|dataset| dataset["collection"].clone())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // They open as they are.
    let file = manifest(&space)["datasets"][0]["file"]
        .as_str()
        .expect("a name")
        .to_owned();
    let shown = read_h5(&space.path("backup").join(file));
    assert_eq!(shown["attributes"]["milvusdm_format"], 1, "{shown:#}");
}

/// Every file below a folder, with its inode and when it was written.
fn files_of(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let about = path.metadata().expect("a file");
        match about.is_dir() {
            true => found.extend(files_of(&path)),
            false => found.push((path, about.ino(), about.modified().expect("a time"))),
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_lost_is_dumped_again_and_told_again() {
    let golden = GOLDEN.iter().find(|golden| golden.name == "partitions");
    let space = Space::new();
    copy_folder(&golden.expect("it").path(), &space.path("in"));
    let names = space.list("in").into_iter();
    let mut vectors = names.filter(|name| name.ends_with(".rv"));
    let vectors = space.path("in").join(vectors.next().expect("vectors"));
    let bytes = std::fs::read(&vectors).expect("vectors");
    std::fs::write(&vectors, &bytes[..bytes.len() / 2]).expect("vectors");
    let dump = [
        "dump",
        "milvus1:in?on_error=skip_segment",
        "backup",
        "--json",
    ];
    let first = run(&space, &dump).exits(1).json();
    let again = run(&space, &dump).exits(1).json();
    assert!(again["ledger"]["lost"].as_u64() > Some(0), "{again:#}");
    assert_eq!(first["ledger"]["lost"], again["ledger"]["lost"]);
}

#[test]
fn a_folder_with_something_else_is_left_alone() {
    let space = Space::new();
    space.write("backup/precious.h5", "mine");
    run(&space, &["dump", "random:5?dim=2&seed=1", "backup"])
        .exits(2)
        .says(&["no dump", "empty folder"]);
    run(&space, &["restore", "backup", "null:"])
        .exits(4)
        .says(&["there is no dump"]);
    assert_eq!(space.list("backup"), ["precious.h5"]);
}

#[test]
fn what_is_missing_altered_or_of_another_version_is_told() {
    let space = Space::new();
    run(&space, &["dump", "random:50?dim=4&seed=1", "backup"]).exits(0);
    let file = manifest(&space)["datasets"][0]["file"]
        .as_str()
        .expect("a name")
        .to_owned();
    let path = space.path("backup").join(&file);
    let whole = std::fs::read(&path).expect("a file");
    let mut altered = whole.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    std::fs::write(&path, &altered).expect("a file");
    run(&space, &["restore", "backup", "hdf5:out.h5"])
        .exits(4)
        .says(&["altered", &file]);
    std::fs::write(&path, &whole[..last]).expect("a file");
    run(&space, &["restore", "backup", "hdf5:out.h5"])
        .exits(4)
        .says(&["bytes, the manifest says"]);
    std::fs::remove_file(&path).expect("a file");
    run(&space, &["restore", "backup", "hdf5:out.h5"])
        .exits(4)
        .says(&["missing", &file]);
    assert!(!space.path("out.h5").exists());
    std::fs::write(&path, &whole).expect("a file");
    run(&space, &["restore", "backup", "hdf5:out.h5"]).exits(0);
    let mut later = manifest(&space);
    later["version"] = 2.into();
    space.write("backup/manifest.json", later.to_string());
    run(&space, &["restore", "backup", "hdf5:out2.h5"])
        .exits(4)
        .says(&["version is 2", "a later one"]);
    run(&space, &["dump", "random:50?dim=4&seed=1", "backup"])
        .exits(4)
        .says(&["version is 2"]);
}

#[test]
fn parts_are_dumped_and_restored_under_other_names() {
    let golden = GOLDEN
        .iter()
        .find(|golden| golden.name == "partitions")
        .expect("it");
    let (space, server) = (Space::new(), server());
    copy_folder(&golden.path(), &space.path("in"));
    let select = [
        "dump",
        "milvus1:in",
        "backup",
        "--select",
        "parts_user/*",
        "--compression",
        "gzip:1",
    ];
    run(&space, &select).exits(0);
    assert_eq!(
        manifest(&space)["datasets"].as_array().map(Vec::len),
        Some(3)
    );
    let sink = format!("milvus1:?uri={}", server.uri());
    let restore = [
        "restore",
        "backup",
        &sink,
        "--select",
        "parts_user/p1",
        "--map",
        "parts_user=other",
    ];
    run(&space, &restore).exits(0);
    let other = server.collection("other").expect("it");
    assert_eq!(other.row_count(), 25);
    assert!(server.collection("parts_user").is_none());
}

#[test]
fn a_receipt_that_was_altered_is_told() {
    let space = Space::new();
    let args = [
        "copy",
        "random:50?dim=4&seed=1",
        "hdf5:a.h5",
        "--receipt",
        "r.json",
    ];
    run(&space, &args).exits(0);
    let shown = run(&space, &["receipt", "r.json"])
        .exits(0)
        .prints(&["The receipt is whole"]);
    assert!(shown.stdout.contains("the ledger is balanced"), "{shown}");
    let whole = std::fs::read_to_string(space.path("r.json")).expect("a receipt");
    let receipt: Value = serde_json::from_str(&whole).expect("a JSON document");
    assert_eq!(receipt["targets"][0]["hash"]["rows"], 50, "{receipt:#}");
    space.write(
        "r.json",
        whole.replace("\"written\": 50", "\"written\": 51"),
    );
    run(&space, &["receipt", "r.json"])
        .exits(2)
        .says(&["altered"]);
    space.write("r.json", "{}");
    run(&space, &["receipt", "r.json"])
        .exits(2)
        .says(&["no receipt"]);
}

#[test]
fn a_dump_whose_manifest_could_not_be_written_is_finished_by_the_next() {
    let space = Space::new();
    let args = ["dump", "random:4000?dim=8&seed=1", "backup"];
    let slow = [&args[..], &["--rows-per-second", "4000"]].concat();
    let mut child = milvusdm(&space, &slow).start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while space.list("backup").is_empty() {
        assert!(Instant::now() < deadline, "it writes nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    let manifest = space.path("backup/manifest.json");
    std::fs::create_dir(&manifest).expect("something in its place");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(4));
    std::fs::remove_dir(&manifest).expect("something in its place");
    milvusdm(&space, &args).run().exits(0);
    milvusdm(&space, &["restore", "backup", "hdf5:back.h5"])
        .run()
        .exits(0)
        .prints(&["4,000 found = 4,000 written"]);
    // Nothing is kept of commands that are done.
    assert_eq!(space.list("home/milvusdm/state"), [""; 0]);
}
