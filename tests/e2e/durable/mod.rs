// SPDX-License-Identifier: Apache-2.0
//! Runs that are stopped, and simply started again.

mod disks;
mod ended;
mod faults;
mod going_on;
mod instants;

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use milvusdm_standin::{Standin, StandinOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

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

/// Starts it slowly, and waits until it has written rows.
fn start(space: &Space, task: &str) -> Child {
    let before = status(space, task);
    let args = ["run", task, "--rows-per-second", "4000"];
    let child = milvusdm(space, &args).start();
    wait_until_writing(space, task, &before);
    child
}

/// Waits until more rows are known to be written than `before`.
fn wait_until_writing(space: &Space, task: &str, before: &Value) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let written = |known: &Value| known["targets"][0]["written"].as_u64().unwrap_or(0);
    loop {
        let now = status(space, task);
        let least = match now["run"] == before["run"] {
            true => written(before),
            false => 0,
        };
        if written(&now) > least {
            return;
        }
        let errors = || std::fs::read_to_string(space.path("errors")).unwrap_or_default();
        assert!(Instant::now() < deadline, "it writes nothing: {}", errors());
        std::thread::sleep(Duration::from_millis(10));
    }
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
