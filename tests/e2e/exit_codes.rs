// SPDX-License-Identifier: Apache-2.0
//! Each exit code, as scripts rely on it. Signals (130, 143) have a file of their own; a plugin
//! that fails (3) and a ledger that does not balance (5) need a plugin made for it, so they are
//! tested with the engine.

use serde_json::json;

use crate::support::{Space, data, milvusdm, run_python, text};

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
fn one_when_rows_were_rejected_and_they_are_counted() {
    let space = Space::new();
    let code = "import h5py, numpy as np, sys\n\
        f = h5py.File(sys.argv[1], 'w')\n\
        f['embeddings'] = np.ones((4, 2), 'f4')\n\
        f['ids'] = np.array([1, 2**63, 3, 2**64 - 1], 'u8')\n";
    space.write("write.py", code);
    run_python(&text(space.path("write.py")), &[&text(space.path("in.h5"))]);
    let outcome = milvusdm(&space, &["copy", "hdf5:in.h5", "hdf5:out.h5", "--json"])
        .run()
        .exits(1);
    let report = outcome.json();
    assert_eq!(report["exit"], 1);
    assert_eq!(report["ledger"]["found"], 4, "{report:#}");
    assert_eq!(report["ledger"]["written"], 2, "{report:#}");
    assert_eq!(report["ledger"]["rejected"], 2, "{report:#}");
    let examples = report["rejected_rows"].as_array().expect("examples");
    assert_eq!(examples.len(), 2, "{report:#}");
    assert_eq!(examples[0]["id"], json!("9223372036854775808"));
    let file = crate::support::read_h5(&space.path("out.h5"));
    assert_eq!(file["datasets"]["ids"]["values"], json!([1, 3]));
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
        ("faiss:nowhere.index", ["nowhere.index", "not"]),
        ("hdf5:nowhere.h5", ["nowhere.h5", "not"]),
        ("hdf5:folder", ["folder", "no"]),
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
    space.write("file", "in the way");
    let source = format!("faiss:{}", text(data("faiss/flat_l2.index")));
    let outcome = milvusdm(&space, &["copy", &source, "hdf5:file/out.h5"]).run();
    outcome.exits(4).says(&["file/out.h5"]);
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
