// SPDX-License-Identifier: Apache-2.0
//! Data directories that are damaged or were copied badly, and what `inspect` tells of them.

use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::milvus1::{GOLDEN, copy_folder, state_of};
use crate::support::{Outcome, Space, data, milvusdm, text};

const SEGMENT: &str = "1795342028263696000";

/// A copy of `float_basic` whose second segment of three, of 40 rows each, has lost its end.
fn cut(space: &Space) -> PathBuf {
    let home = space.path("in");
    copy_folder(&data("milvus1/golden/float_basic"), &home);
    let file = home.join(format!("db/tables/float_basic/{SEGMENT}/{SEGMENT}.rv"));
    let file = File::options().write(true).open(file).expect("a segment");
    file.set_len(1000).expect("a shorter segment");
    home
}

fn run(space: &Space, source: &Value) -> Outcome {
    let task = json!({"source": source, "sink": {"plugin": "hdf5", "path": "out/"}});
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(space, &["run", &task, "--json"]).run()
}

#[test]
fn a_damaged_segment_ends_the_run_before_anything_is_written() {
    let space = Space::new();
    let home = cut(&space);
    let outcome = run(&space, &json!({"plugin": "milvus1", "path": text(&home)})).exits(4);
    let file = format!("{SEGMENT}.rv");
    let said = ["2560 bytes follow, but 992 do", &*file, "skip_segment"];
    outcome.says(&said);
    assert_eq!(space.list("out"), Vec::<String>::new());
}

#[test]
fn a_damaged_segment_can_be_left_out_and_is_a_loss_in_the_ledger() {
    let space = Space::new();
    let home = cut(&space);
    let before = state_of(&home);
    let source = json!({"plugin": "milvus1", "path": text(&home), "on_error": "skip_segment"});
    let outcome = run(&space, &source).exits(1);
    let ledger = &outcome.json()["ledger"];
    assert_eq!(
        *ledger,
        json!({"found": 120, "written": 80, "deleted": 0, "skipped": 0, "collapsed": 0,
            "rejected": 0, "lost": 40}),
        "{outcome}"
    );
    let told = outcome.stdout.clone() + &outcome.stderr;
    assert!(told.contains(SEGMENT), "{outcome}");
    assert_eq!(space.list("out").len(), 2, "{outcome}");
    assert!(before == state_of(&home));
}

#[test]
fn a_directory_whose_parts_are_missing_says_which() {
    for (gone, said) in [
        ("db/meta.sqlite", "meta.sqlite"),
        ("db/tables/float_basic", "float_basic"),
    ] {
        let space = Space::new();
        let home = space.path("in");
        copy_folder(&data("milvus1/golden/float_basic"), &home);
        let path = home.join(gone);
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).expect("a folder of ours"),
            false => std::fs::remove_file(path).expect("a file of ours"),
        }
        let outcome = run(&space, &json!({"plugin": "milvus1", "path": text(&home)})).exits(4);
        outcome.says(&[said]);
        assert_eq!(space.list("out"), Vec::<String>::new());
    }
}

#[test]
fn a_killed_server_whose_sqlite_log_was_left_behind_is_not_an_empty_one() {
    let space = Space::new();
    let home = space.path("in");
    copy_folder(&data("milvus1/golden/wal"), &home);
    for name in ["meta.sqlite-wal", "meta.sqlite-shm"] {
        std::fs::remove_file(home.join("db").join(name)).expect("a file of ours");
    }
    let outcome = run(&space, &json!({"plugin": "milvus1", "path": text(&home)})).exits(4);
    outcome.says(&["meta.sqlite", "meta.sqlite-wal"]);
}

#[test]
fn an_id_is_found_with_its_segment() {
    let space = Space::new();
    let source = format!("milvus1:{}", text(data("milvus1/golden/float_basic")));
    let look = |id: &str| {
        milvusdm(&space, &["inspect", &source, "--id", id])
            .run()
            .exits(0)
    };
    let found = look("1053");
    assert!(found.stdout.contains("id 1053"), "{found}");
    let line = found.stdout.lines().find(|line| line.contains("segment "));
    let line = line.unwrap_or_default();
    assert!(line.contains("float_basic/_default"), "{found}");
    assert!(line.contains(SEGMENT), "{found}");
    let none = look("999999");
    assert!(none.stdout.contains("id 999999"), "{none}");
    // A deleted row is shown as one.
    let source = format!("milvus1:{}", text(data("milvus1/golden/wal")));
    let args = ["inspect", &source, "--id", "201", "--json"];
    let document = milvusdm(&space, &args).run().exits(0).json();
    let shown = document.to_string();
    assert!(shown.contains(r#""deleted":true"#), "{document:#}");
}

#[test]
fn inspect_counts_what_every_golden_directory_holds_and_changes_nothing() {
    let space = Space::new();
    for golden in &GOLDEN {
        let before = state_of(&golden.path());
        let source = format!("milvus1:{}", text(golden.path()));
        let outcome = milvusdm(&space, &["inspect", &source, "--json"])
            .run()
            .exits(0);
        let document = outcome.within_mib(64).json();
        let mut wanted = golden.rows();
        for dataset in document["datasets"].as_array().expect("datasets") {
            let collection = dataset["collection"].as_str().expect("a name");
            let tag = dataset["partition"].as_str().unwrap_or("_default");
            let rows = wanted.remove(&format!("{collection}/{tag}"));
            let rows = rows.unwrap_or_else(|| panic!("there is no {collection}/{tag}"));
            assert_eq!(dataset["rows"], rows.len(), "{}: {dataset:#}", golden.name);
            let about = &golden.collections()[collection];
            assert_eq!(dataset["dim"], about["dimension"]);
            let metric = about["metric_type"]
                .as_str()
                .expect("a metric")
                .to_lowercase();
            assert_eq!(dataset["metric"], metric);
        }
        assert!(wanted.is_empty(), "{}: {:?}", golden.name, wanted.keys());
        assert!(before == state_of(&golden.path()), "{}", golden.name);
    }
}
