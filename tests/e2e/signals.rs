// SPDX-License-Identifier: Apache-2.0
//! Stopping a run in the middle: nothing half-written is left that looks whole.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Space, milvusdm, text};

/// Enough rows for many seconds of work: 64 GB that are never all written.
const ROWS: u64 = 250_000_000;

/// A task that would write far more than any test waits for, into a compressed file, so that it
/// is not refused for want of space.
fn endless(space: &Space, sink: &str) -> String {
    let task = format!(
        "source: {{plugin: random, rows: {ROWS}, dim: 64, seed: 1}}\nsink: {sink}\nmemory: 32MiB\n"
    );
    text(space.write("endless.yaml", task))
}

/// Waits until the run has something on disk, or fails with what it printed.
fn wait_until_writing(space: &Space, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let is_writing = space.list("out").iter().any(|name| {
            let path = space.path("out").join(name);
            path.metadata()
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() > 100_000)
        });
        if is_writing {
            return;
        }
        let ended = child.try_wait().expect("a child");
        let errors = || std::fs::read_to_string(space.path("errors")).unwrap_or_default();
        assert!(ended.is_none(), "it ended early, {ended:?}: {}", errors());
        assert!(Instant::now() < deadline, "it writes nothing: {}", errors());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait(child: &mut Child, at_most: Duration) -> ExitStatus {
    let deadline = Instant::now() + at_most;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("it can be killed");
            panic!("it did not stop within {at_most:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a signal of ours");
}

/// Files below `out` that a person would take for a result.
fn results(space: &Space) -> Vec<String> {
    space
        .list("out")
        .into_iter()
        .filter(|name| name.ends_with(".h5"))
        .collect()
}

#[test]
fn sigint_and_sigterm_stop_a_run_in_the_middle_and_leave_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let space = Space::new();
        let task = endless(
            &space,
            "{plugin: hdf5, path: out/, compression: \"gzip:1\"}",
        );
        let mut child = milvusdm(&space, &["run", &task]).start();
        wait_until_writing(&space, &mut child);
        send(&child, signal);
        let status = wait(&mut child, Duration::from_secs(10));
        let errors = std::fs::read_to_string(space.path("errors")).expect("what it said");
        assert_eq!(status.code(), Some(code), "{errors}");
        let files: Vec<String> = space
            .list("out")
            .into_iter()
            .filter(|n| !n.ends_with('/'))
            .collect();
        assert!(files.is_empty(), "nothing is left: {files:?}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}

#[test]
fn the_receipt_of_a_stopped_run_says_so() {
    let space = Space::new();
    let task = endless(
        &space,
        "{plugin: hdf5, path: out/, compression: \"gzip:1\"}",
    );
    let mut child = milvusdm(&space, &["run", &task, "--json"]).start();
    wait_until_writing(&space, &mut child);
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child, Duration::from_secs(10)).code(), Some(130));
    let printed = std::fs::read(space.path("output")).expect("what it printed");
    let report: serde_json::Value = serde_json::from_slice(&printed).expect("a receipt");
    assert_eq!(report["exit"], 130);
    assert_eq!(report["targets"][0]["status"], "aborted", "{report:#}");
}

#[test]
fn a_run_to_nowhere_stops_too() {
    let space = Space::new();
    let task = endless(&space, "{plugin: \"null\"}");
    let mut child = milvusdm(&space, &["run", &task]).start();
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().expect("a child").is_none(),
        "it still runs"
    );
    send(&child, Signal::TERM);
    assert_eq!(wait(&mut child, Duration::from_secs(10)).code(), Some(143));
}

#[test]
fn sigkill_in_the_middle_leaves_no_file_that_looks_whole_and_the_next_run_succeeds() {
    let space = Space::new();
    let task = endless(
        &space,
        "{plugin: hdf5, path: out/, compression: \"gzip:1\"}",
    );
    let mut child = milvusdm(&space, &["run", &task]).start();
    wait_until_writing(&space, &mut child);
    send(&child, Signal::KILL);
    let status = wait(&mut child, Duration::from_secs(10));
    assert_eq!(status.signal(), Some(9));
    assert_eq!(results(&space), Vec::<String>::new());

    let task = "source: {plugin: random, rows: 1000, dim: 64, seed: 1}\nsink: {plugin: hdf5, path: out/}\n";
    let task = text(space.write("short.yaml", task));
    milvusdm(&space, &["run", &task]).run().exits(0);
    let all: Vec<String> = space
        .list("out")
        .into_iter()
        .filter(|name| !name.ends_with('/'))
        .collect();
    assert_eq!(
        all.len(),
        1,
        "the leftover of the killed run is gone: {all:?}"
    );
    assert_eq!(results(&space), all);
}

#[test]
fn sigkill_while_overwriting_leaves_the_old_target_whole() {
    let space = Space::new();
    let old = "source: {plugin: random, rows: 1000, dim: 64, seed: 2}\nsink: {plugin: hdf5, path: out/}\n";
    let old = text(space.write("old.yaml", old));
    milvusdm(&space, &["run", &old]).run().exits(0);
    let target = results(&space).pop().expect("a result");
    let before = std::fs::read(space.path("out").join(&target)).expect("the result");

    for mode in ["overwrite", "append"] {
        let task = endless(
            &space,
            "{plugin: hdf5, path: out/, compression: \"gzip:1\"}",
        );
        let text_of = std::fs::read_to_string(&task).expect("a task of ours");
        std::fs::write(&task, format!("{text_of}mode: {mode}\n")).expect("a task of ours");
        let mut child = milvusdm(&space, &["run", &task]).start();
        let size = before.len() as u64;
        let deadline = Instant::now() + Duration::from_secs(60);
        // Another file than the target grows beside it.
        while !space.list("out").iter().any(|name| {
            let path = space.path("out").join(name);
            *name != target
                && path
                    .metadata()
                    .is_ok_and(|m| m.is_file() && m.len() > size / 2)
        }) {
            assert!(
                child.try_wait().expect("a child").is_none(),
                "it ended early"
            );
            assert!(Instant::now() < deadline, "it writes nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        send(&child, Signal::KILL);
        wait(&mut child, Duration::from_secs(10));
        let after = std::fs::read(space.path("out").join(&target)).expect("the result");
        assert!(before == after, "{mode}: the old target is as it was");
    }
}
