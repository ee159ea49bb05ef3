// SPDX-License-Identifier: Apache-2.0
//! Damaged Faiss files: a message that says where, no output, little memory, little time.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Outcome, Space, data, milvusdm, text};

/// What is to be expected of one damaged file is 2 s; a busy machine gets some more.
const LIMIT_MS: u64 = 10_000;
const EXPECTED_MS: u64 = 2_000;

fn damaged() -> (Vec<Value>, Vec<Value>) {
    let list = std::fs::read(data("faiss/malformed/malformed.json")).expect("the list");
    let list: Value = serde_json::from_slice(&list).expect("the list is JSON");
    let part = |key: &str| list[key].as_array().expect("a list").clone();
    (part("files"), part("truncations"))
}

/// The damaged files as the list describes them: an empty folder and two links among them.
fn lay_out(space: &Space) -> PathBuf {
    let folder = space.folder("malformed");
    for entry in std::fs::read_dir(data("faiss/malformed")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_str()
            .expect("plain")
            .to_owned();
        // Links may have come as files through a system that has none.
        if path.symlink_metadata().expect("a type").is_file() && !name.starts_with("symlink_") {
            space.copy(&path, &format!("malformed/{name}"));
        }
    }
    space.folder("malformed/directory.index");
    symlink("does-not-exist", folder.join("symlink_dangling.index")).expect("a link");
    symlink("directory.index", folder.join("symlink_to_directory.index")).expect("a link");
    folder
}

fn copy(space: &Space, path: &str) -> Outcome {
    let source = format!("faiss:{path}?lossy=allow");
    let outcome = milvusdm(space, &["copy", &source, "hdf5:out.h5"])
        .limit_ms(LIMIT_MS)
        .run();
    assert!(
        outcome.wall_ms < LIMIT_MS.min(EXPECTED_MS * 3),
        "it takes long: {outcome}"
    );
    outcome.within_mib(64)
}

#[test]
fn every_damaged_file_gives_an_error_with_its_place_and_leaves_nothing() {
    let space = Space::new();
    let folder = lay_out(&space);
    let (files, _) = damaged();
    assert_eq!(files.len(), 41, "the damaged files are complete");
    let mut slow = 0;
    for entry in &files {
        let name = entry["file"].as_str().expect("a name");
        let outcome = copy(&space, &text(folder.join(name)));
        slow += u32::from(outcome.wall_ms > EXPECTED_MS);
        match entry["expect"].as_str() {
            Some("error") => {
                let class = entry["error_class"].as_str().expect("a class");
                refused_with_place(outcome, name, class);
                assert_eq!(space.list("."), space_without_output(&space), "{name}");
            }
            // The list leaves both open; what is given must be right.
            _ if outcome.code == Some(0) => {
                std::fs::remove_file(space.path("out.h5")).expect("the result");
            }
            _ => drop(outcome.exits(4).says(&[name])),
        }
    }
    assert_eq!(slow, 0, "each takes less than two seconds");
}

/// What is in the space but for what a run may leave: nothing at the target's place.
fn space_without_output(space: &Space) -> Vec<String> {
    let is_output = |name: &String| {
        let is_at_top = !name.trim_end_matches('/').contains('/');
        is_at_top && (name.contains("out") || name.contains(".h5") || name.contains("tmp"))
    };
    space
        .list(".")
        .into_iter()
        .filter(|name| !is_output(name))
        .collect()
}

fn refused_with_place(outcome: Outcome, name: &str, class: &str) {
    let outcome = outcome.exits(4).says(&[name]);
    let says_any = |words: &[&str]| words.iter().any(|word| outcome.stderr.contains(word));
    // A file that is not there, or is no file, or lies elsewhere, has no offset.
    if !matches!(class, "not_found" | "not_a_file" | "missing_file") {
        assert!(says_any(&["offset", "byte"]), "it says where: {outcome}");
    }
    let nested = name.starts_with("nested_");
    assert!(
        nested || !says_any(&["panicked", "internal"]),
        "it is the file's fault: {outcome}"
    );
}

#[test]
fn truncated_files_give_an_error_and_no_output() {
    // All 616 cuts are read by the plugin's own tests; here each eleventh goes the whole way.
    const EACH: usize = 11;
    let space = Space::new();
    let (_, truncations) = damaged();
    let cuts = truncations.iter().flat_map(|file| {
        let name = file["file"].as_str().expect("a name").to_owned();
        let cuts = file["cuts"].as_array().expect("cuts").clone();
        cuts.into_iter()
            .map(move |cut| (name.clone(), cut["length"].as_u64().expect("a length")))
    });
    let cuts: Vec<(String, u64)> = cuts.collect();
    assert_eq!(cuts.len(), 616, "the cuts are complete");
    for (name, length) in cuts.iter().step_by(EACH) {
        let whole = std::fs::read(data(&format!("faiss/{name}"))).expect("a golden file");
        let length = usize::try_from(*length).expect("a small file");
        let cut = space.write(&format!("cut/{name}"), &whole[..length]);
        if name == "ivf6_ondisk.index" {
            space.copy(
                &data("faiss/ivf6_ondisk.ivfdata"),
                "cut/ivf6_ondisk.ivfdata",
            );
        }
        let outcome = copy(&space, &text(&cut)).exits(4).says(&[name]);
        assert!(!space.path("out.h5").exists(), "cut at {length}: {outcome}");
    }
}

#[test]
fn one_damaged_file_among_good_ones_stops_the_run_and_leaves_nothing_half_written() {
    let space = Space::new();
    space.copy(&data("faiss/flat_l2.index"), "in/a.index");
    space.copy(&data("faiss/malformed/trunc_in_data.index"), "in/b.index");
    let outcome = milvusdm(&space, &["copy", "faiss:in/", "hdf5:out/"]).run();
    outcome.exits(4).says(&["b.index"]);
    let left = space.list("out");
    let looks_whole = left
        .iter()
        .any(|name| name.contains("b.h5") || name.contains("b/"));
    assert!(!looks_whole, "no result of the damaged file: {left:?}");
    let is_clean = left
        .iter()
        .all(|name| name.ends_with('/') || name.ends_with(".h5"));
    assert!(is_clean, "no temporary file: {left:?}");
}
