// SPDX-License-Identifier: Apache-2.0
//! Every task under `examples/tasks` runs as it stands from the top of the repository, twice;
//! and the demo does.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Space, binary_path, milvusdm, plugin_file, python, repository, text};

/// A folder that looks like the top of the repository, but takes results.
fn top(space: &Space) {
    for name in ["examples", "tests"] {
        symlink(repository().join(name), space.path(name)).expect("a link");
    }
}

fn tasks() -> Vec<String> {
    let entries = std::fs::read_dir(repository().join("examples/tasks")).expect("the examples");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    names
}

#[test]
fn every_example_is_planned_and_run_as_it_stands() {
    for name in tasks() {
        let space = Space::new();
        top(&space);
        let task = format!("examples/tasks/{name}");
        milvusdm(&space, &["plan", &task]).run().exits(0);
        let first = milvusdm(&space, &["run", &task, "--json"])
            .run()
            .exits(0)
            .json();
        assert!(
            first["ledger"]["written"]
                .as_u64()
                .is_some_and(|rows| rows > 0),
            "{name}: {first:#}"
        );
        // A person tries it again.
        milvusdm(&space, &["run", &task]).run().exits(0);
    }
}

#[test]
fn the_targets_that_the_examples_name_are_what_is_there_afterwards() {
    let space = Space::new();
    top(&space);
    for name in tasks() {
        milvusdm(&space, &["run", &format!("examples/tasks/{name}")])
            .run()
            .exits(0);
    }
    let files = space.list("out").into_iter();
    let files: Vec<String> = files.filter(|name| !name.ends_with('/')).collect();
    // Each run of an M2H task has a folder of its own.
    let (of_runs, files): (Vec<String>, Vec<String>) =
        files.into_iter().partition(|name| name.starts_with("m2h/"));
    assert_eq!(of_runs.len(), 3 * 2, "files and their tasks: {of_runs:?}");
    let wanted = [
        "append.h5",
        "faiss-to-hdf5.h5",
        "glove.h5",
        "ivf-with-ids/catalog/2021.h5",
        "lossy-faiss.h5",
        "merge/goods/hats.h5",
        "merge/goods/shoes.h5",
        "milvus1/w_bin/_default.h5",
        "milvus1/w_mixed/_default.h5",
        "milvus1/w_mixed/wp.h5",
        "milvus1/w_only/_default.h5",
        "select/hats/_default.h5",
    ];
    assert_eq!(files, wanted);
}

#[test]
fn the_demo_shows_real_vectors_moving_with_a_balanced_ledger() {
    let space = Space::new();
    for _ in 0..2 {
        let output = Command::new(repository().join("examples/demo.sh"))
            .args([text(binary_path()), text(space.path("demo"))])
            .current_dir(space.root())
            .output()
            .expect("the demo starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{printed}\n{errors}");
        for part in [
            "milvusdm inspect",
            "milvusdm plan",
            "found",
            "written",
            "2021.h5",
        ] {
            assert!(
                printed.contains(part),
                "wanted `{part}`: {printed}\n{errors}"
            );
        }
    }
}

#[test]
fn the_benchmark_measures_and_verifies_every_route() {
    let space = Space::new();
    let output = Command::new(python())
        .args([
            "-B",
            &text(repository().join("tests/bench/bench.py")),
            "--binary",
            &text(binary_path()),
            "--plugins",
            &text(plugin_file("faiss").parent().expect("its folder")),
        ])
        .args([
            "--dir",
            &text(space.path("bench")),
            "--rows",
            "5000",
            "--pairs",
            "2",
            "--big-rows",
            "20000",
        ])
        .output()
        .expect("the benchmark starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{printed}\n{errors}");
    let results = std::fs::read(space.path("bench/results.json")).expect("results");
    let results: serde_json::Value = serde_json::from_slice(&results).expect("results in JSON");
    assert_eq!(
        results["results"].as_array().map(Vec::len),
        Some(17),
        "{printed}"
    );
}
