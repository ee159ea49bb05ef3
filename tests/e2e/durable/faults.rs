// SPDX-License-Identifier: Apache-2.0
//! Journals that are torn, servers that stall, clocks that jump: started again, a run ends as one
//! that nothing happened to.

use std::path::Path;

use rustix::process::Signal;

use super::*;
use crate::support::compile_c;
use crate::support::milvus1::{GOLDEN, Golden, copy_folder, stored};

fn fail(server: &Standin, fault: &str) {
    server.fail(fault.parse().expect("a fault"));
}

/// Each row of the source once, and no other.
#[track_caller]
fn holds_each_row_once(server: &Standin) {
    let rows = stored(server);
    let ids: Vec<i64> = rows.values().flatten().map(|row| row.0).collect();
    let different: std::collections::BTreeSet<&i64> = ids.iter().collect();
    assert_eq!((ids.len() as u64, different.len() as u64), (ROWS, ROWS));
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
        .says(&["the journal is damaged", "begins anew"]);
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
fn several_targets_go_on_with_the_one_that_was_cut_off() {
    let named = |golden: &&Golden| golden.name == "partitions";
    let golden = GOLDEN.iter().find(named).expect("it");
    let (space, server) = (Space::new(), server());
    copy_folder(&golden.path(), &space.path("in"));
    fail(&server, "insert@4+=unavailable");
    let sink = json!({"plugin": "milvus1", "uri": server.uri(), "retries": 0});
    let task = json!({"source": {"plugin": "milvus1", "path": "in"}, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    run(&space, &task, &[]).exits(4);
    let known = status(&space, &task);
    assert_eq!(known["state"], "unfinished", "{known:#}");
    server.clear_faults();
    let report = run(&space, &task, &[]).exits(0).json();
    let targets = report["targets"].as_array().expect("targets").iter();
    let actions: Vec<&str> = targets
        .map(|target| target["action"].as_str().expect("an action"))
        .collect();
    assert!(actions.contains(&"resume"), "{report:#}");
    assert!(actions.contains(&"create"), "{report:#}");
    assert_eq!(stored(&server), golden.rows());
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

/// A task of many small requests to a server that has little patience with it.
fn impatient(space: &Space, server: &Standin) -> String {
    let uri = server.uri();
    let sink = format!("{{plugin: milvus1, uri: \"{uri}\", metric: L2, timeout: 1, retries: 4}}");
    write(space, &sink, "limit: {rows_per_second: 8000}\n")
}

#[test]
fn rows_that_arrived_without_an_answer_come_once() {
    for fault in ["insert@2=drop-before", "insert@2=drop-after"] {
        let (space, server) = (space(), server());
        fail(&server, fault);
        let task = impatient(&space, &server);
        let report = run(&space, &task, &[]).exits(0).json();
        let total = &report["targets"][0]["rows_total"];
        assert_eq!(*total, ROWS, "{fault}: {report:#}");
        holds_each_row_once(&server);
    }
}

/// Runs it again, now that the server does as it should.
#[track_caller]
fn goes_on(space: &Space, task: &str, server: &Standin) {
    server.clear_faults();
    let report = run(space, task, &[]).exits(0).json();
    assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
    assert_eq!(report["ledger"]["written"], ROWS, "{report:#}");
    holds_each_row_once(server);
}

#[test]
fn a_server_that_stalls_ends_the_run_and_the_next_one_goes_on() {
    let (space, server) = (space(), server());
    fail(&server, "insert@2+=stall");
    let task = impatient(&space, &server);
    run(&space, &task, &[]).exits(4).says(&["no answer within"]);
    goes_on(&space, &task, &server);
}

#[test]
fn rows_that_are_stored_after_the_run_gave_up_come_once() {
    let (space, server) = (space(), server());
    fail(&server, "insert@2=delay:6000");
    let task = impatient(&space, &server);
    run(&space, &task, &[]).exits(4).says(&["no answer within"]);
    // Requests have a thousand rows: the second comes into sight long after it was sent.
    let stored = || server.collection("moved").expect("it").row_count();
    let deadline = Instant::now() + Duration::from_secs(30);
    while stored() < 2000 {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
    goes_on(&space, &task, &server);
}

#[test]
fn a_server_that_is_away_is_waited_for_and_the_next_run_goes_on() {
    let (space, server) = (space(), server());
    fail(&server, "insert@2+=unavailable");
    let task = impatient(&space, &server);
    let outcome = run(&space, &task, &["--progress", "plain"]).exits(4);
    // What is tried again is told, and shown while it is waited for.
    outcome.says(&[
        "trying again in",
        "progress: milvus1: insert rows: trying again, attempts made ",
    ]);
    goes_on(&space, &task, &server);
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let space = space();
    let library = space.path("jumps.so");
    let source = Path::new("../e2e/durable/jumps.c");
    compile_c(&[&text(source)], &["-ldl"], &library);
    let task = into_file(&space, "");
    run(&space, &task, &["--no-journal"]).exits(0);
    let wanted = std::fs::read(space.path("out.h5")).expect("the target");
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    let jumping = |args: &[&str]| {
        let args = [&["run", &task], args].concat();
        milvusdm(&space, &args).env("LD_PRELOAD", &library)
    };
    let before = status(&space, &task);
    let child = jumping(&["--rows-per-second", "4000"]).start();
    wait_until_writing(&space, &task, &before);
    end(child, Signal::KILL);
    let report = jumping(&["--json"]).run().exits(0).json();
    assert_eq!(report["targets"][0]["action"], "resume", "{report:#}");
    assert_eq!(report["ledger"]["written"], ROWS, "{report:#}");
    let seconds = report["seconds"].as_f64().expect("seconds");
    assert!((0.0..60.0).contains(&seconds), "{report:#}");
    let found = std::fs::read(space.path("out.h5")).expect("the target");
    assert!(found == wanted, "the file differs");
}
