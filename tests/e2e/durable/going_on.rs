// SPDX-License-Identifier: Apache-2.0
//! What goes on, what is refused, and what is taken back.

use rustix::process::Signal;

use super::*;

#[test]
fn a_signal_leaves_something_to_go_on_with() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (space, server) = (space(), server());
        let sinks: [fn(&Space, &Standin, &str) -> String; 2] =
            [|space, _, more| into_file(space, more), into_server];
        for make in sinks {
            // The other task had the same name.
            let _ = std::fs::remove_dir_all(space.path("home/milvusdm/state"));
            let task = make(&space, &server, "");
            assert_eq!(stop(&space, &task, signal), Some(code));
            let known = status(&space, &task);
            assert_eq!(known["state"], "unfinished", "{known:#}");
            let report = run(&space, &task, &[]).exits(0).json();
            assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
            assert_eq!(report["ledger"]["written"], ROWS, "{report:#}");
            assert_eq!(report["targets"][0]["rows_total"], ROWS, "{report:#}");
            assert_eq!(status(&space, &task)["state"], "finished");
        }
    }
}

#[test]
fn the_journal_can_be_kept_elsewhere_or_not_at_all() {
    let space = space();
    let task = into_file(&space, "");
    run(&space, &task, &["--state", "journals"]).exits(0);
    assert!(space.path("journals").is_dir());
    assert!(!space.path("home/milvusdm/state").exists());
    let args = ["status", &task, "--state", "journals", "--json"];
    let known = milvusdm(&space, &args).run().exits(0).json();
    assert_eq!(known["state"], "finished");
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    run(&space, &task, &["--no-journal"]).exits(0);
    assert!(!space.path("home/milvusdm/state").exists());
    // Somewhere that can't be written: asked for, it is refused; else the run does without.
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    run(&space, &task, &["--state", "task.yaml/x"]).exits(2);
    space.write("home/milvusdm/state", "a file");
    run(&space, &task, &[]).exits(0).says(&["can't go on"]);
}

#[test]
fn a_second_run_at_once_is_refused() {
    let space = space();
    let task = into_file(&space, "");
    // Long enough for all that is asked meanwhile.
    let args = ["run", &task, "--rows-per-second", "800"];
    let before = status(&space, &task);
    let child = milvusdm(&space, &args).start();
    wait_until_writing(&space, &task, &before);
    let known = status(&space, &task);
    assert_eq!(known["state"], "running");
    // Who looks leaves the run its journal: what it notes later is there.
    wait_until_writing(&space, &task, &known);
    run(&space, &task, &[])
        .exits(2)
        .says(&["another process is running this task"]);
    end(child, Signal::KILL);
    let report = run(&space, &task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
}

/// Has the journal say what it says of a process that died between publishing and saying so.
fn forget_the_end(space: &Space) {
    let journal = rusqlite::Connection::open(journal(space)).expect("a journal");
    for change in [
        "UPDATE run SET is_reported = FALSE",
        "UPDATE target SET stage = '\"finishing\"'",
    ] {
        let changed = journal.execute(change, []);
        assert_eq!(changed.expect("a change"), 1);
    }
}

#[test]
fn rows_that_were_published_before_the_process_died_are_not_moved_again() {
    for (mode, before) in [("fail", 0), ("append", 0), ("append", ROWS)] {
        let space = space();
        if before > 0 {
            make(&space, "out.h5", 2);
        }
        let task = into_file(&space, &format!("mode: {mode}"));
        run(&space, &task, &[]).exits(0);
        forget_the_end(&space);
        let report = run(&space, &task, &[]).exits(0).json();
        let target = &report["targets"][0];
        assert_eq!(target["action"], "resume", "{report:#}");
        assert_eq!(target["rows_total"], before + ROWS, "{report:#}");
        assert_eq!(report["ledger"]["written"], ROWS, "{report:#}");
    }
}

#[test]
fn appended_rows_that_may_be_there_are_not_appended_again() {
    let space = space();
    let task = into_file(&space, "mode: append");
    run(&space, &task, &[]).exits(0);
    forget_the_end(&space);
    let other = format!("random:{}?dim=8", 7);
    let args = ["copy", &other, "hdf5:out.h5", "--mode", "append"];
    milvusdm(&space, &args).run().exits(0);
    run(&space, &task, &[])
        .exits(2)
        .says(&["4007 rows are there, 0 were before the run and 4000 would be after it"]);
}

#[test]
fn what_a_changed_task_would_leave_behind_is_refused_and_a_restart_tells_of_it() {
    let space = space();
    stop(&space, &into_file(&space, ""), Signal::KILL);
    let task = write(&space, "{plugin: hdf5, path: other.h5}", "");
    run(&space, &task, &[]).exits(2).says(&["--restart"]);
    assert!(!space.path("other.h5").exists());
    let outcome = run(&space, &task, &["--restart"]).exits(0);
    outcome.says(&["out.h5: what the earlier run left stays"]);
    assert!(space.path("other.h5").exists());
}

#[test]
fn another_option_of_the_same_target_leaves_nothing_behind() {
    let space = space();
    stop(&space, &into_file(&space, ""), Signal::KILL);
    let sink = "{plugin: hdf5, path: out.h5, compression: lzf}";
    let task = write(&space, sink, "");
    run(&space, &task, &[]).exits(2).says(&["compression"]);
    let outcome = run(&space, &task, &["--restart"]).exits(0);
    assert!(!outcome.stderr.contains("stays"), "{outcome}");
    let files = space.list("").into_iter();
    let partial: Vec<String> = files.filter(|name| name.contains(".partial")).collect();
    assert!(partial.is_empty(), "{partial:?}");
}

#[test]
fn what_changed_is_named_and_a_restart_begins_anew() {
    let (space, server) = (space(), server());
    let task = into_server(&space, &server, "");
    stop(&space, &task, Signal::KILL);
    make(&space, "in.h5", 2);
    run(&space, &task, &[])
        .exits(2)
        .says(&["was written to", "--restart"]);
    // Nothing is touched by a refusal.
    assert_eq!(status(&space, &task)["state"], "unfinished");
    let other = into_server(&space, &server, "mode: append\n");
    run(&space, &other, &[])
        .exits(2)
        .says(&["mode: was `fail`, is `append`"]);
    let task = into_server(&space, &server, "memory: 32MiB\nparallel: 1\n");
    let report = run(&space, &task, &["--restart"]).exits(0).json();
    assert_eq!(report["targets"][0]["action"], "create", "{report:#}");
    assert_eq!(server.collection("moved").expect("it").row_count(), ROWS);
}

#[test]
fn memory_and_speed_may_change_between() {
    let space = space();
    let task = into_file(&space, "");
    stop(&space, &task, Signal::KILL);
    let task = into_file(
        &space,
        "memory: 16MiB\nparallel: 1\nlimit: {bytes_per_second: 1GB}\n",
    );
    let report = run(&space, &task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
}

#[test]
fn modes_keep_their_meaning() {
    for mode in ["skip", "overwrite", "append"] {
        let (space, server) = (space(), server());
        // Rows that were there before.
        let before = match mode {
            "skip" => 0,
            _ => {
                let sink = format!("milvus1:?uri={}&metric=L2", server.uri());
                let args = [
                    "copy",
                    "random:100?dim=8&seed=9",
                    &sink,
                    "--map",
                    "moved",
                    "--no-journal",
                ];
                milvusdm(&space, &args).run().exits(0);
                100
            }
        };
        let task = into_server(&space, &server, &format!("mode: {mode}\n"));
        stop(&space, &task, Signal::KILL);
        stop(&space, &task, Signal::KILL);
        let report = run(&space, &task, &[]).exits(0).json();
        let total = ROWS + if mode == "append" { before } else { 0 };
        assert_eq!(
            server.collection("moved").expect("it").row_count(),
            total,
            "{mode}"
        );
        assert_eq!(
            report["targets"][0]["rows_added"], ROWS,
            "{mode}: {report:#}"
        );
        // Finished: the next run is a new one.
        let again = run(&space, &task, &[]).exits(0).json();
        let wanted = if mode == "skip" { "skip" } else { mode };
        assert_eq!(again["targets"][0]["action"], wanted, "{again:#}");
    }
}

#[test]
fn another_writers_rows_are_not_taken_for_the_runs_own() {
    let (space, server) = (space(), server());
    let task = into_server(&space, &server, "");
    stop(&space, &task, Signal::KILL);
    let sink = format!("milvus1:?uri={}&metric=L2", server.uri());
    let count = ROWS.to_string();
    let source = format!("random:{count}?dim=8&seed=9");
    let args = [
        "copy",
        &source,
        &sink,
        "--map",
        "moved",
        "--mode",
        "append",
        "--no-journal",
    ];
    milvusdm(&space, &args).run().exits(0);
    run(&space, &task, &[])
        .exits(2)
        .says(&["rows are there", "--restart"]);
}

#[test]
fn another_writers_rows_are_not_taken_back_with_the_runs_own() {
    let (space, server) = (space(), server());
    let task = into_server(&space, &server, "");
    stop(&space, &task, Signal::KILL);
    let sink = format!("milvus1:?uri={}&metric=L2", server.uri());
    let source = "random:10?dim=8&seed=9";
    let args = [
        "copy",
        source,
        &sink,
        "--map",
        "moved",
        "--mode",
        "append",
        "--no-journal",
    ];
    milvusdm(&space, &args).run().exits(0);
    let rows = || server.collection("moved").expect("it").row_count();
    let before = rows();
    run(&space, &task, &[])
        .exits(4)
        .says(&["can't be this run's"]);
    run(&space, &task, &["--restart"])
        .exits(2)
        .says(&["can't be this run's", "take away what is not wanted"]);
    assert_eq!(rows(), before, "nothing is taken back");
    assert_eq!(status(&space, &task)["state"], "unfinished");
}

#[test]
fn without_a_journal_a_failure_takes_back_what_was_written() {
    let (space, server) = (space(), server());
    server.fail("insert@2+=unavailable".parse().expect("a fault"));
    let sink = format!(
        "{{plugin: milvus1, uri: \"{}\", metric: L2, retries: 0}}",
        server.uri()
    );
    let task = write(&space, &sink, "limit: {rows_per_second: 8000}\n");
    run(&space, &task, &["--no-journal"]).exits(4);
    assert!(server.collection("moved").is_none(), "it is taken back");
}
