// SPDX-License-Identifier: Apache-2.0
//! Runs that are stopped: what goes on, what is refused, and what is taken back.

use std::process::Child;
use std::time::{Duration, Instant};

use milvusdm_standin::{Standin, StandinOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::milvus1::{GOLDEN, Golden, copy_folder, stored};
use crate::support::{Outcome, Space, milvusdm, text};

const ROWS: u64 = 4000;

/// A space with a source of some rows, `in.h5`.
fn space() -> Space {
    let space = Space::new();
    make(&space, "in.h5", 1);
    space
}

fn make(space: &Space, file: &str, seed: u64) {
    let source = format!("random:{ROWS}?dim=8&seed={seed}");
    let sink = format!("hdf5:{file}");
    let args = [
        "copy",
        &source,
        &sink,
        "--no-journal",
        "--mode",
        "overwrite",
    ];
    milvusdm(space, &args).run().exits(0);
}

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

/// Writes `task.yaml`: from `in.h5` to that sink.
fn write(space: &Space, sink: &str, more: &str) -> String {
    let task = format!(
        "source: {{plugin: hdf5, path: in.h5, columns: none}}\nsink: {sink}\nmap: moved\n{more}"
    );
    text(space.write("task.yaml", task))
}

fn into_server(space: &Space, server: &Standin, more: &str) -> String {
    let sink = format!("{{plugin: milvus1, uri: \"{}\", metric: L2}}", server.uri());
    write(space, &sink, more)
}

fn into_file(space: &Space, more: &str) -> String {
    write(space, "{plugin: hdf5, path: out.h5}", more)
}

fn run(space: &Space, task: &str, more: &[&str]) -> Outcome {
    let args = [&["run", task, "--json"], more].concat();
    milvusdm(space, &args).run()
}

fn status(space: &Space, task: &str) -> Value {
    let args = ["status", task, "--json"];
    milvusdm(space, &args).run().exits(0).json()
}

/// Starts it slowly, and waits until rows are known to be written.
fn start(space: &Space, task: &str) -> Child {
    let args = ["run", task, "--rows-per-second", "4000"];
    let child = milvusdm(space, &args).start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while status(space, task)["targets"][0]["written"].as_u64() < Some(1) {
        let errors = || std::fs::read_to_string(space.path("errors")).unwrap_or_default();
        assert!(Instant::now() < deadline, "it writes nothing: {}", errors());
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// The only journal.
fn journal(space: &Space) -> std::path::PathBuf {
    let names = space.list("home/milvusdm/state").into_iter();
    let mut journals = names.filter(|name| name.ends_with(".journal"));
    let journal = journals.next().expect("a journal");
    space.path("home/milvusdm/state").join(journal)
}

fn end(mut child: Child, signal: Signal) -> Option<i32> {
    kill_process(Pid::from_child(&child), signal).expect("a signal of ours");
    child.wait().expect("a child of ours").code()
}

fn stop(space: &Space, task: &str, signal: Signal) -> Option<i32> {
    end(start(space, task), signal)
}

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
    let child = start(&space, &task);
    assert_eq!(status(&space, &task)["state"], "running");
    run(&space, &task, &[])
        .exits(2)
        .says(&["another process is running this task"]);
    end(child, Signal::KILL);
    run(&space, &task, &[]).exits(0);
}

#[test]
fn what_changed_is_named_and_a_restart_begins_anew() {
    let (space, server) = (space(), server());
    let task = into_server(&space, &server, "");
    stop(&space, &task, Signal::KILL);
    make(&space, "in.h5", 2);
    run(&space, &task, &[])
        .exits(2)
        .says(&["the content of split", "--restart"]);
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
fn a_journal_that_is_torn_is_told_and_can_be_given_up() {
    let space = space();
    let task = into_file(&space, "");
    stop(&space, &task, Signal::KILL);
    let journal = journal(&space);
    // The log behind the database is cut off in the middle: older marks are as good.
    let wal = journal.with_extension("journal-wal");
    let bytes = std::fs::read(&wal).expect("the log");
    std::fs::write(&wal, &bytes[..bytes.len() * 2 / 3]).expect("the log");
    let report = run(&space, &task, &[]).json();
    assert_eq!(report["exit"], 0, "{report:#}");
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    stop(&space, &task, Signal::KILL);
    let _ = std::fs::remove_file(&wal);
    std::fs::write(&journal, "torn".repeat(3000)).expect("the journal");
    run(&space, &task, &[])
        .exits(2)
        .says(&["the journal is damaged", "begin anew"]);
    run(&space, &task, &["--restart"]).exits(0);
}

#[test]
fn a_journal_that_is_there_is_never_done_without() {
    let (space, server) = (space(), server());
    let task = into_server(&space, &server, "mode: append\n");
    stop(&space, &task, Signal::KILL);
    let there = server.collection("moved").expect("it").row_count();
    // It can't be opened; without it the rows that are there would be moved again.
    let journal = journal(&space);
    std::fs::rename(&journal, space.path("aside")).expect("the journal");
    std::fs::create_dir(&journal).expect("something else");
    run(&space, &task, &[])
        .exits(2)
        .says(&["can't open the journal"]);
    assert_eq!(server.collection("moved").expect("it").row_count(), there);
    std::fs::remove_dir(&journal).expect("something else");
    std::fs::rename(space.path("aside"), &journal).expect("the journal");
    run(&space, &task, &[]).exits(0);
    assert_eq!(server.collection("moved").expect("it").row_count(), ROWS);
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

#[test]
fn several_targets_go_on_with_the_one_that_was_cut_off() {
    let golden = GOLDEN
        .iter()
        .find(|golden| golden.name == "partitions")
        .expect("it");
    let space = Space::new();
    copy_folder(&golden.path(), &space.path("in"));
    let server = server();
    server.fail("insert@4=die-before".parse().expect("a fault"));
    let sink = json!({"plugin": "milvus1", "uri": server.uri(), "retries": 0, "timeout": 2});
    let task = json!({"source": {"plugin": "milvus1", "path": "in"}, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    run(&space, &task, &[]).exits(4);
    let known = status(&space, &task);
    assert_eq!(known["state"], "unfinished", "{known:#}");
    drop(server);
    let _: &Golden = golden;
}

#[test]
fn after_a_power_cut_only_what_was_flushed_is_trusted() {
    let space = space();
    let task = into_file(&space, "");
    run(&space, &task, &["--no-journal"]).exits(0);
    let wanted = std::fs::read(space.path("out.h5")).expect("the target");
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    stop(&space, &task, Signal::KILL);
    let journal = journal(&space);
    // Another boot of the machine; and rows that did not reach the disk.
    let connection = rusqlite::Connection::open(journal).expect("the journal");
    connection
        .execute("UPDATE run SET boot = 'before'", [])
        .expect("the run");
    drop(connection);
    let partial = space
        .list(".")
        .into_iter()
        .find(|name| name.ends_with(".partial"));
    let partial = space.path(&partial.expect("the unfinished file"));
    let mut bytes = std::fs::read(&partial).expect("the unfinished file");
    let half = bytes.len() / 2;
    bytes[half..half + 20_000].fill(0);
    std::fs::write(&partial, bytes).expect("the unfinished file");
    run(&space, &task, &[]).exits(0);
    let found = std::fs::read(space.path("out.h5")).expect("the target");
    assert!(found == wanted, "the file differs");
}

#[test]
fn rows_that_arrived_without_an_answer_come_once() {
    for fault in ["insert@2=drop-before", "insert@2=drop-after"] {
        let (space, server) = (space(), server());
        server.fail(fault.parse().expect("a fault"));
        let task = into_server(&space, &server, "limit: {rows_per_second: 8000}\n");
        let report = run(&space, &task, &[]).exits(0).json();
        assert_eq!(
            report["targets"][0]["rows_total"], ROWS,
            "{fault}: {report:#}"
        );
        let rows = stored(&server);
        let ids: std::collections::BTreeSet<i64> =
            rows.values().flatten().map(|row| row.0).collect();
        assert_eq!(ids.len() as u64, ROWS, "{fault}");
    }
}
