// SPDX-License-Identifier: Apache-2.0
//! Killed at each instant that changes something, by count and not by chance: the same command
//! given again ends as if nothing had happened, and hands out the report that nobody got.

#![expect(clippy::print_stdout, reason = "how many instants there are is logged")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use super::*;
use crate::support::compile_c;

/// Rows that are moved, half into each of two targets.
const MOVED: u64 = 60;
const SOURCE: &str = "random:60?dim=4&partitions=2";
/// Calls at the end, where a run is ended step by step.
const LAST: usize = 60;

/// A command that is killed.
struct Job {
    args: &'static [&'static str],
    /// Makes what is there before.
    prepare: fn(&Space),
    /// Rows of each target in the end.
    rows: u64,
    /// A command that proves what is there, and what it prints.
    proof: (&'static [&'static str], &'static str),
}

fn at_once(space: &Space, args: &[&str]) {
    milvusdm(space, args).run().exits(0);
}

fn write_task(space: &Space, mode: &str) {
    let source = "{plugin: random, rows: 60, dim: 4, partitions: 2}";
    let task = format!("source: {source}\nsink: {{plugin: hdf5, path: out/}}\nmode: {mode}\n");
    space.write("task.yaml", task);
}

/// How often it is killed: always in a soak.
fn strides() -> (usize, usize) {
    match std::env::var_os("MILVUSDM_KILLS") {
        Some(_) => (1, 1),
        None => (6, 29),
    }
}

fn started(space: &Space, library: &Path, args: &[&str], env: (&str, &str)) -> ExitStatus {
    let run = milvusdm(space, args).env("LD_PRELOAD", library);
    let mut child = run.env(env.0, env.1).start();
    child.wait().expect("a child of ours")
}

fn output(space: &Space) -> Option<Value> {
    let shown = std::fs::read(space.path("output")).expect("what it printed");
    serde_json::from_slice(&shown).ok()
}

impl Job {
    fn args(&self) -> Vec<&str> {
        [
            self.args,
            &["--json", "--receipt", "receipt.json", "--progress", "off"],
        ]
        .concat()
    }

    fn space(&self) -> Space {
        let space = Space::new();
        (self.prepare)(&space);
        space
    }

    fn kill_everywhere(&self) {
        let home = Space::new();
        let library = home.path("instants.so");
        let source = Path::new("../e2e/durable/instants.c");
        compile_c(&[&text(source)], &["-ldl"], &library);
        let calls = self.calls(&library);
        assert!(calls > LAST, "{calls} calls of {:?}", self.args);
        let (late, early) = strides();
        let ends = calls - LAST;
        let mut out = 0;
        for at in (1..ends).step_by(early).chain((ends..=calls).step_by(late)) {
            out += u64::from(self.kill_at(at, &library));
        }
        println!(
            "{:?}: of {calls} calls, the report was out {out} times",
            self.args
        );
    }

    /// How many calls it makes.
    fn calls(&self, library: &Path) -> usize {
        let space = self.space();
        let log = text(space.path("calls"));
        let status = started(&space, library, &self.args(), ("KILL_LOG", &log));
        assert!(status.success(), "{:?}: {status}", self.args);
        std::fs::read(log).expect("a byte a call").len()
    }

    /// Whether the report was out.
    fn kill_at(&self, at: usize, library: &Path) -> bool {
        let space = self.space();
        let status = started(&space, library, &self.args(), ("KILL_AT", &at.to_string()));
        let is_killed = status.signal() == Some(9);
        assert!(is_killed || status.success(), "killed at {at}: {status}");
        let out = output(&space);
        let is_out = out.is_some();
        let report = out.unwrap_or_else(|| milvusdm(&space, &self.args()).run().exits(0).json());
        assert_eq!(
            report["ledger"]["written"], MOVED,
            "killed at {at}: {report:#}"
        );
        for target in report["targets"].as_array().expect("targets") {
            assert_eq!(
                target["rows_total"], self.rows,
                "killed at {at}: {report:#}"
            );
        }
        at_once(&space, &["receipt", "receipt.json"]);
        let (args, says) = self.proof;
        milvusdm(&space, args).run().exits(0).prints(&[says]);
        let names = space.list("").into_iter();
        let left: Vec<String> = names.filter(|name| name.contains(".partial")).collect();
        assert_eq!(left, [""; 0], "killed at {at}");
        is_out
    }
}

const VERIFIED: (&[&str], &str) = (&["verify", "task.yaml"], "Verified: 2 targets");

#[test]
fn a_run_into_files() {
    let job = Job {
        args: &["run", "task.yaml"],
        prepare: |space| write_task(space, "append"),
        rows: MOVED / 2,
        proof: VERIFIED,
    };
    job.kill_everywhere();
    let args = &["run", "task.yaml", "--verify"];
    let prepare = |space: &Space| write_task(space, "fail");
    Job {
        args,
        prepare,
        ..job
    }
    .kill_everywhere();
}

#[test]
fn a_run_that_appends_to_files_that_are_there() {
    let job = Job {
        args: &["run", "task.yaml"],
        prepare: |space| {
            let before = "random:14?dim=4&partitions=2&seed=9";
            at_once(space, &["copy", before, "hdf5:out/", "--no-journal"]);
            write_task(space, "append");
        },
        rows: 7 + MOVED / 2,
        proof: VERIFIED,
    };
    job.kill_everywhere();
}

#[test]
fn a_dump_and_one_that_replaces_it() {
    let job = Job {
        args: &["dump", SOURCE, "backup", "--replace"],
        prepare: |_| {},
        rows: MOVED / 2,
        proof: (&["verify", "backup"], "The dump is whole: 2 datasets"),
    };
    job.kill_everywhere();
    let prepare = |space: &Space| {
        let before = "random:90?dim=4&partitions=3&seed=9";
        at_once(space, &["dump", before, "backup"]);
    };
    Job { prepare, ..job }.kill_everywhere();
}

#[test]
fn a_restore() {
    let job = Job {
        args: &["restore", "backup", "hdf5:back/"],
        prepare: |space| at_once(space, &["dump", SOURCE, "backup"]),
        rows: MOVED / 2,
        proof: (&["inspect", "hdf5:back/"], "p1"),
    };
    job.kill_everywhere();
}
