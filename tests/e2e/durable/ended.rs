// SPDX-License-Identifier: Apache-2.0
//! Targets that are done while their run is not: kept, told when they changed, never written twice.

use rustix::process::Signal;

use super::*;

/// Two datasets into a folder, or a server, each a target.
fn two(space: &Space, sink: &str, more: &str) -> String {
    for (name, seed) in [("a", 1), ("b", 2)] {
        let source = format!("random:{ROWS}?dim=8&seed={seed}");
        let sink = format!("hdf5:{name}.h5");
        let args = [
            "copy",
            &source,
            &sink,
            "--map",
            name,
            "--no-journal",
            "--mode",
            "overwrite",
        ];
        milvusdm(space, &args).run().exits(0);
    }
    let task = format!(
        "source: {{plugin: hdf5, path: [a.h5, b.h5], columns: none}}\nsink: {sink}\nparallel: 1\n{more}"
    );
    text(space.write("task.yaml", task))
}

fn into_folder(space: &Space, more: &str) -> String {
    two(space, "{plugin: hdf5, path: out/}", more)
}

/// Kills it when the first target is done, and the second is half-written.
fn stop_between(space: &Space, task: &str) {
    let child = milvusdm(space, &["run", task, "--rows-per-second", "4000"]).start();
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_between = |now: &Value| {
        let [first, second] = [&now["targets"][0], &now["targets"][1]];
        first["stage"] == "done"
            && second["stage"] == "writing"
            && second["written"].as_u64().unwrap_or(0) > 0
    };
    while !is_between(&status(space, task)) {
        assert!(Instant::now() < deadline, "it does not come so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    end(child, Signal::KILL);
}

/// Has the journal say what it says of a process that died before it handed out its report.
fn forget_the_report(space: &Space) {
    let journal = rusqlite::Connection::open(journal(space)).expect("a journal");
    let changed = journal.execute("UPDATE run SET is_reported = FALSE", []);
    assert_eq!(changed.expect("a change"), 1);
}

#[test]
fn a_report_that_nobody_got_is_handed_out_by_the_next_run() {
    for mode in ["fail", "append", "overwrite"] {
        let (space, server) = (space(), server());
        let more = format!("mode: {mode}\n");
        for is_file in [true, false] {
            // The other task had the same name.
            let _ = std::fs::remove_dir_all(space.path("home/milvusdm/state"));
            let task = match is_file {
                true => into_file(&space, &more),
                false => into_server(&space, &server, &more),
            };
            let first = run(&space, &task, &[]).exits(0).json();
            forget_the_report(&space);
            assert_eq!(status(&space, &task)["state"], "unfinished");
            let receipt = ["--receipt", "receipt.json", "--verify"];
            let report = run(&space, &task, &receipt).exits(0).json();
            assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
            assert_eq!(report["ledger"], first["ledger"]);
            assert_eq!(report["targets"][0]["rows_total"], ROWS);
            assert_eq!(report["targets"][0]["hash"], first["targets"][0]["hash"]);
            assert_eq!(report["rows"], 0, "this process moved none");
            let shown = milvusdm(&space, &["receipt", "receipt.json"]).run();
            shown.exits(0).prints(&["Verified"]);
            assert_eq!(status(&space, &task)["state"], "finished");
        }
    }
}

#[test]
fn a_run_that_was_killed_while_it_compared_goes_on_comparing() {
    let (space, server) = (space(), server());
    for call in ["get_vector_ids", "get_vectors_by_id"] {
        server.fail(format!("{call}=stall").parse().expect("a fault"));
    }
    let task = into_server(&space, &server, "");
    let child = milvusdm(&space, &["run", &task, "--verify"]).start();
    space.wait_until_said("Comparing");
    run(&space, &task, &[])
        .exits(2)
        .says(&["another process is running this task"]);
    end(child, Signal::KILL);
    server.clear_faults();
    let report = run(&space, &task, &["--verify"]).exits(0).json();
    assert_eq!(
        report["verified"]["targets"][0]["equal"], true,
        "{report:#}"
    );
    assert_eq!(report["ledger"]["written"], ROWS, "{report:#}");
}

#[test]
fn a_receipt_that_could_not_be_written_is_written_by_the_next_run() {
    let space = space();
    let task = into_file(&space, "");
    let args = [
        "run",
        &task,
        "--receipt",
        "kept/receipt.json",
        "--rows-per-second",
        "4000",
    ];
    std::fs::create_dir(space.path("kept")).expect("a folder of ours");
    let before = status(&space, &task);
    let mut child = milvusdm(&space, &args).start();
    wait_until_writing(&space, &task, &before);
    std::fs::remove_dir_all(space.path("kept")).expect("a folder of ours");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(4));
    std::fs::create_dir(space.path("kept")).expect("a folder of ours");
    run(&space, &task, &["--receipt", "kept/receipt.json"]).exits(0);
    let shown = milvusdm(&space, &["receipt", "kept/receipt.json"]).run();
    shown.exits(0).prints(&["4,000"]);
}

#[test]
fn a_restart_discards_nothing_where_what_is_done_is_in_the_way() {
    for mode in ["fail", "append"] {
        let space = space();
        let task = into_folder(&space, &format!("mode: {mode}\n"));
        stop_between(&space, &task);
        let before = status(&space, &task);
        let says = ["a was finished by it", "without `--restart`"];
        run(&space, &task, &["--restart"]).exits(2).says(&says);
        assert_eq!(status(&space, &task), before, "nothing is touched");
        let report = run(&space, &task, &[]).exits(0).json();
        assert_eq!(report["ledger"]["written"], 2 * ROWS, "{report:#}");
        assert!(report["rows"].as_u64() < Some(ROWS), "{report:#}");
    }
    // Each of the ways that it names leads on.
    let ways: [fn(&Space) -> String; 3] = [
        |space| {
            std::fs::remove_file(space.path("out/a/_default.h5")).expect("the target");
            into_folder(space, "")
        },
        |space| into_folder(space, "select: {exclude: [a]}\n"),
        |space| into_folder(space, "mode: overwrite\n"),
    ];
    for way in ways {
        let space = space();
        stop_between(&space, &into_folder(&space, ""));
        let report = run(&space, &way(&space), &["--restart"]).exits(0).json();
        for target in report["targets"].as_array().expect("targets") {
            assert_eq!(target["rows_total"], ROWS, "{report:#}");
        }
    }
}

#[test]
fn what_was_done_and_changed_since_is_told() {
    let space = space();
    let task = into_folder(&space, "");
    stop_between(&space, &task);
    let done = space.path("out/a/_default.h5");
    let other = ["copy", "random:7?dim=8", "hdf5:less.h5", "--no-journal"];
    milvusdm(&space, &other).run().exits(0);
    std::fs::rename(&done, space.path("kept.h5")).expect("the target");
    std::fs::copy(space.path("less.h5"), &done).expect("another file");
    run(&space, &task, &[])
        .exits(2)
        .says(&["finished it with 4000 rows, of which 7 are there now"]);
    std::fs::copy(space.path("task.yaml"), &done).expect("no HDF5 at all");
    run(&space, &task, &[])
        .exits(4)
        .says(&["signature", "the run had finished this target"]);
    std::fs::rename(space.path("kept.h5"), &done).expect("the target");
    run(&space, &task, &[]).exits(0);
}

#[test]
fn rows_that_others_add_to_what_is_done_keep_nothing_up() {
    let (space, server) = (space(), server());
    let sink = format!("{{plugin: milvus1, uri: \"{}\", metric: L2}}", server.uri());
    let task = two(&space, &sink, "");
    stop_between(&space, &task);
    let sink = format!("milvus1:?uri={}&metric=L2", server.uri());
    let args = [
        "copy",
        "random:9?dim=8",
        &sink,
        "--map",
        "a",
        "--mode",
        "append",
    ];
    milvusdm(&space, &args).run().exits(0);
    run(&space, &task, &[]).exits(0);
    assert_eq!(server.collection("a").expect("it").row_count(), ROWS + 9);
    assert_eq!(server.collection("b").expect("it").row_count(), ROWS);
}

#[test]
fn in_another_folder_relative_paths_are_not_taken_for_the_same() {
    let space = space();
    let task = into_file(&space, "");
    stop(&space, &task, Signal::KILL);
    std::fs::create_dir(space.path("elsewhere")).expect("a folder of ours");
    std::fs::copy(space.path("in.h5"), space.path("elsewhere/in.h5")).expect("the source");
    let elsewhere = |more: &[&str]| {
        let args = [&["run", &task, "--json"], more].concat();
        let run = milvusdm(&space, &args);
        run.under(&["env", "-C", "elsewhere"]).run()
    };
    elsewhere(&[])
        .exits(2)
        .says(&["where the run was begun", "elsewhere"]);
    assert!(!space.path("elsewhere/out.h5").exists());
    let report = run(&space, &task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
    // Whoever begins anew is told what stays.
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    stop(&space, &task, Signal::KILL);
    elsewhere(&["--restart"])
        .exits(0)
        .says(&["out.h5: what the earlier run left stays"]);
    assert!(space.path("elsewhere/out.h5").exists());
}

#[test]
fn a_report_that_could_not_be_printed_is_printed_by_the_next_run() {
    let space = space();
    let task = into_file(&space, "mode: append\n");
    let into_nothing = ["sh", "-c", "exec \"$@\" > /dev/full", "sh"];
    let run_full = milvusdm(&space, &["run", &task]).under(&into_nothing).run();
    run_full.exits(4).says(&["print the result on stdout"]);
    let report = run(&space, &task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["rows_total"], ROWS, "{report:#}");
    assert_eq!(report["rows"], 0, "{report:#}");
    // That was its end: an append begins anew.
    let report = run(&space, &task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["rows_total"], 2 * ROWS, "{report:#}");
}

#[test]
fn a_signal_while_it_compares_ends_it_like_any_other() {
    let (space, server) = (space(), server());
    for call in ["get_vector_ids", "get_vectors_by_id"] {
        server.fail(format!("{call}=stall").parse().expect("a fault"));
    }
    let task = into_server(&space, &server, "");
    let child = milvusdm(&space, &["run", &task, "--verify"]).start();
    space.wait_until_said("Comparing");
    assert_eq!(end(child, Signal::INT), Some(130));
    let shown = std::fs::read_to_string(space.path("output")).expect("a report");
    assert!(
        shown.contains("All rows are there, 4,000 rows were written"),
        "{shown}"
    );
    server.clear_faults();
    run(&space, &task, &["--verify"]).exits(0);
}

#[test]
fn a_refused_run_leaves_the_receipt_of_another() {
    let space = space();
    let task = into_file(&space, "");
    let receipt = ["--receipt", "receipt.json"];
    run(&space, &task, &receipt).exits(0);
    run(&space, &task, &receipt)
        .exits(2)
        .says(&["of an earlier run"]);
    let args = ["run", "nowhere.yaml", "--receipt", "receipt.json"];
    milvusdm(&space, &args).run().exits(2);
    milvusdm(&space, &["receipt", "receipt.json"])
        .run()
        .exits(0);
}

#[test]
fn what_is_owed_of_a_run_that_can_not_be_ended_is_given_up() {
    let space = space();
    let task = into_file(&space, "mode: overwrite\n");
    run(&space, &task, &[]).exits(0);
    forget_the_report(&space);
    make(&space, "in.h5", 2);
    let outcome = run(&space, &task, &[]).exits(0).says(&["begins anew"]);
    assert_eq!(outcome.json()["rows"], ROWS, "{outcome}");
}
