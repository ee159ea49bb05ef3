// SPDX-License-Identifier: Apache-2.0
//! Exit codes, as scripts rely on them. `faults` has those that take a plugin which breaks: rows
//! rejected (1), a plugin that fails (3), a ledger that does not balance (5); `signals` has 130
//! and 143.

use serde_json::json;

use crate::support::{Space, data, milvusdm, text};

#[test]
fn zero_when_all_rows_arrived() {
    let space = Space::new();
    let source = format!("faiss:{}", text(data("faiss/flat_l2.index")));
    let outcome = milvusdm(&space, &["copy", &source, "hdf5:out.h5", "--json"])
        .run()
        .exits(0);
    let report = outcome.json();
    assert_eq!(report["exit"], 0);
    assert_eq!(report["ledger"]["found"], 100);
    assert_eq!(report["ledger"]["written"], 100);
}

#[test]
fn two_when_the_command_line_is_wrong() {
    let space = Space::new();
    for args in [
        &["frobnicate"][..],
        &["run"],
        &["run", "task.yaml", "--no-such-flag"],
        &["copy", "faiss:a.index"],
        &["copy", "no-colon-and-no-file", "hdf5:out.h5"],
        &["copy", "faiss:a.index?lossy", "hdf5:out.h5"],
        &["copy", "faiss:a.index?losy=allow", "hdf5:out.h5"],
        &["inspect", "nosuchplugin:a.index"],
    ] {
        let outcome = milvusdm(&space, args).run().exits(2);
        assert!(
            !outcome.stderr.trim().is_empty(),
            "it says what is wrong: {outcome}"
        );
        assert!(
            outcome.stdout.is_empty(),
            "results only on standard output: {outcome}"
        );
    }
}

#[test]
fn two_when_the_task_is_not_there_or_not_a_task() {
    let space = Space::new();
    milvusdm(&space, &["run", "nowhere.yaml"])
        .run()
        .exits(2)
        .says(&["nowhere.yaml"]);
    space.write("task.yaml", "- a list\n");
    milvusdm(&space, &["run", "task.yaml"])
        .run()
        .exits(2)
        .says(&["task.yaml:1"]);
    space.folder("folder.yaml");
    milvusdm(&space, &["run", "folder.yaml"])
        .run()
        .exits(2)
        .says(&["folder.yaml"]);
}

#[test]
fn four_when_the_source_is_not_there_or_not_to_be_read() {
    let space = Space::new();
    for (source, words) in [
        ("faiss:nowhere.index", ["nowhere.index", "No such file"]),
        ("hdf5:nowhere.h5", ["nowhere.h5", "No such file"]),
        ("hdf5:folder", ["folder", "HDF5"]),
    ] {
        space.folder("folder");
        let outcome = milvusdm(&space, &["copy", source, "hdf5:out.h5"]).run();
        outcome.exits(4).says(&words);
        milvusdm(&space, &["inspect", source])
            .run()
            .exits(4)
            .says(&words);
    }
}

#[test]
fn four_when_the_sink_fails() {
    let space = Space::new();
    let source = format!("faiss:{}", text(data("faiss/flat_l2.index")));
    let outcome = milvusdm(&space, &["copy", &source, "hdf5:/proc/nowhere/out.h5"]).run();
    outcome.exits(4).says(&["flat_l2", "free"]);
}

#[test]
fn help_and_version_are_no_errors_and_a_closed_pipe_is_none_either() {
    let space = Space::new();
    milvusdm(&space, &["--version"])
        .run()
        .exits(0)
        .prints(&["milvusdm "]);
    milvusdm(&space, &["--help"])
        .run()
        .exits(0)
        .prints(&["run", "copy", "plan", "inspect"]);
    for command in ["run", "copy", "plan", "inspect", "plugins", "schema"] {
        let outcome = milvusdm(&space, &[command, "--help"]).run().exits(0);
        assert!(outcome.stdout.contains("Usage"), "{outcome}");
    }
    // `true` reads nothing: writing to it fails.
    let piped = r#"set -o pipefail; "$0" schema | true"#;
    milvusdm(&space, &[])
        .under(&["bash", "-c", piped])
        .run()
        .exits(0);
}

#[test]
fn the_form_that_milvusdm_1_users_type_is_the_same_as_run() {
    let space = Space::new();
    let task = json!({
        "source": {"plugin": "faiss", "path": text(data("faiss/flat_l2.index"))},
        "sink": {"plugin": "hdf5", "path": "out.h5"},
    });
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(&space, &["--yaml", &task]).run().exits(0);
    assert!(space.path("out.h5").exists());
    milvusdm(&space, &["--yaml", &task])
        .run()
        .exits(2)
        .says(&["exist"]);
}
