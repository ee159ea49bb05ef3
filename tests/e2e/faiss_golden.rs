// SPDX-License-Identifier: Apache-2.0
//! Genuine Faiss files, written by five versions of Faiss, against what is known of their rows.

use serde_json::Value;

use crate::support::{Space, data, milvusdm, run_python, text};

/// One genuine file, as `tests/data/faiss/index.json` describes it.
struct Golden {
    name: String,
    class: String,
    rows: u64,
    entry: Value,
}

fn all() -> Vec<Golden> {
    let list = std::fs::read(data("faiss/index.json")).expect("the list of golden files");
    let list: Value = serde_json::from_slice(&list).expect("the list is JSON");
    let entries = list.as_array().expect("a list").iter();
    let text = |entry: &Value, key: &str| entry[key].as_str().expect("a text").to_owned();
    let golden: Vec<Golden> = entries
        .map(|entry| Golden {
            name: text(entry, "name"),
            class: text(entry, "class"),
            rows: entry["n_rows"].as_u64().unwrap_or(0),
            entry: entry.clone(),
        })
        .collect();
    assert_eq!(golden.len(), 108, "the golden files are complete");
    golden
}

fn with_rows() -> Vec<Golden> {
    let golden: Vec<Golden> = all()
        .into_iter()
        .filter(|g| g.entry["expect"] == "rows")
        .collect();
    assert_eq!(golden.len(), 99, "the golden files are complete");
    golden
}

/// Moves one file to `out/NAME.h5` and holds the ledger against the number of rows.
fn export(space: &Space, golden: &Golden, options: &str) {
    let path = data(&format!("faiss/{}.index", golden.name));
    let lossy = if golden.class == "lossy" {
        ", lossy: allow"
    } else {
        ""
    };
    let task = format!(
        "source: {{plugin: faiss, path: {:?}{lossy}{options}}}\nsink: {{plugin: hdf5, path: out/{}.h5}}\n",
        text(path),
        golden.name
    );
    let task = text(space.write(&format!("{}.yaml", golden.name), task));
    let report = milvusdm(space, &["run", &task, "--json"])
        .run()
        .exits(0)
        .json();
    let ledger = &report["datasets"][0]["ledger"];
    assert_eq!(ledger["found"], golden.rows, "{}: {report:#}", golden.name);
    assert_eq!(
        ledger["written"], golden.rows,
        "{}: {report:#}",
        golden.name
    );
}

fn compare(space: &Space, golden: &[Golden], space_name: &str) {
    let (folder, out) = (text(data("faiss")), text(space.path("out")));
    let mut args = vec![folder.as_str(), &out, space_name];
    args.extend(golden.iter().map(|golden| golden.name.as_str()));
    let printed = run_python("compare_golden.py", &args);
    assert!(
        printed.contains(&format!("compared {} files", golden.len())),
        "{printed}"
    );
}

#[test]
fn ninety_nine_genuine_files_arrive_as_h5py_reads_them() {
    let space = Space::new();
    space.folder("out");
    let golden = with_rows();
    for one in &golden {
        export(&space, one, "");
    }
    compare(&space, &golden, "original");
    let left: Vec<String> = space
        .list("out")
        .into_iter()
        .filter(|f| !f.ends_with(".h5"))
        .collect();
    assert!(left.is_empty(), "nothing but the results is left: {left:?}");
}

#[test]
fn transformed_vectors_can_be_had_as_they_are_stored_bit_by_bit() {
    let space = Space::new();
    space.folder("out");
    let has_inner = |golden: &Golden| {
        let file =
            std::fs::read(data(&format!("faiss/{}.json", golden.name))).expect("a description");
        let file: Value = serde_json::from_slice(&file).expect("a description in JSON");
        // A padded or projected vector is what it is; the quantised ones have no exact form.
        file["inner"].is_object()
    };
    let golden: Vec<Golden> = with_rows().into_iter().filter(has_inner).collect();
    assert!(golden.len() >= 9, "there are files with a transform");
    for one in &golden {
        export(&space, one, ", space: stored");
    }
    compare(&space, &golden, "stored");
}

#[test]
fn nine_files_that_hold_no_vectors_are_refused_by_name() {
    let space = Space::new();
    let refused: Vec<Golden> = all()
        .into_iter()
        .filter(|g| g.entry["expect"] == "refuse")
        .collect();
    assert_eq!(refused.len(), 9);
    for golden in &refused {
        let path = text(data(&format!("faiss/{}.index", golden.name)));
        for lossy in ["refuse", "allow"] {
            let source = format!("faiss:{path}?lossy={lossy}");
            let outcome = milvusdm(&space, &["copy", &source, "hdf5:out.h5"]).run();
            let outcome = outcome
                .exits(4)
                .says(&[&format!("{}.index", golden.name)])
                .within_mib(64);
            // By name: the code that the file carries, or what it is in words.
            let says_what = outcome.stderr.len() > golden.name.len() + 40;
            assert!(says_what, "it says what the file is: {outcome}");
            assert!(!space.path("out.h5").exists(), "nothing is left: {outcome}");
        }
    }
}

#[test]
fn lossy_files_are_refused_without_leave_and_the_loss_is_named() {
    let space = Space::new();
    let lossy: Vec<Golden> = with_rows()
        .into_iter()
        .filter(|g| g.class == "lossy")
        .collect();
    assert_eq!(lossy.len(), 25);
    for golden in &lossy {
        let source = format!(
            "faiss:{}",
            text(data(&format!("faiss/{}.index", golden.name)))
        );
        let outcome = milvusdm(&space, &["copy", &source, "hdf5:out.h5"]).run();
        let outcome = outcome.exits(4).says(&["lossy", "allow", &golden.name]);
        assert!(!space.path("out.h5").exists(), "nothing is left: {outcome}");
    }
}

#[test]
fn inspect_shows_the_tree_of_every_genuine_file() {
    let space = Space::new();
    for golden in &all() {
        let source = format!(
            "faiss:{}?lossy=allow",
            text(data(&format!("faiss/{}.index", golden.name)))
        );
        let outcome = milvusdm(&space, &["inspect", &source]).run().within_mib(64);
        let fourcc = golden.entry["fourcc"].as_str().expect("a type");
        if golden.entry["expect"] == "rows" {
            outcome.exits(0).prints(&[fourcc]);
        } else {
            let outcome = outcome.exits(4).prints(&[fourcc]).says(&[&golden.name]);
            let lines = outcome.stderr.lines();
            let said = lines.filter(|line| line.contains("error:") || line.contains("WARN"));
            assert_eq!(said.count(), 1, "it is said once: {outcome}");
        }
    }
}
