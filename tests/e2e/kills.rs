// SPDX-License-Identifier: Apache-2.0
//! Runs that are killed at random moments and simply started again end as one that was left alone:
//! the same bytes in files, the same rows on a server, and a ledger that balances.
//!
//! A few kills for each route here; `make soak` sets `MILVUSDM_KILLS` to many. Each kill is printed
//! with the rows that the journal knew of (`--nocapture`), and most of them fall between the first
//! and the last acknowledged batch.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::Value;

use crate::support::milvus1::{Rows, stored};
use crate::support::{Space, StandinProcess, milvusdm, run_python, text};

const ROWS: u64 = 12_000;
/// Rows a second while runs are to be killed.
const PACE: u64 = 12_000;
const DIM: u64 = 8;

/// Kills for each route.
fn kills() -> u64 {
    let asked = std::env::var("MILVUSDM_KILLS").ok();
    asked.map_or(3, |n| n.parse().expect("MILVUSDM_KILLS is a number"))
}

/// Below `end`, at random.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % end
}

/// Where rows come from.
#[derive(Debug, Clone, Copy)]
enum From {
    Faiss,
    Milvus,
    Hdf5,
}

impl From {
    /// Makes the source; gives what stands under `source`.
    fn make(self, space: &Space) -> String {
        let (rows, dim) = (ROWS.to_string(), DIM.to_string());
        match self {
            Self::Faiss => {
                let path = text(space.path("in.index"));
                run_python("../bench/make_input.py", &["flat", &path, &rows, &dim]);
                "{plugin: faiss, path: in.index}".to_owned()
            }
            Self::Milvus => {
                let path = text(space.path("in"));
                run_python("make_milvus1_data.py", &[&path, &rows, &dim, "3", "0.05"]);
                "{plugin: milvus1, path: in}".to_owned()
            }
            Self::Hdf5 => {
                let source = format!("random:{rows}?dim={dim}&seed=1");
                let args = ["copy", &source, "hdf5:in.h5", "--no-journal"];
                milvusdm(space, &args).run().exits(0);
                "{plugin: hdf5, path: in.h5, columns: none}".to_owned()
            }
        }
    }
}

/// A task that is killed, and the same one at full speed.
struct Task {
    slow: String,
    fast: String,
}

impl Task {
    fn new(source: &str, sink: &str) -> Self {
        let fast = format!("source: {source}\nsink: {sink}\nmap: moved\nparallel: 2\n");
        let slow = format!("{fast}limit: {{rows_per_second: {PACE}}}\n");
        Self { slow, fast }
    }

    fn write(&self, space: &Space, is_slow: bool) -> String {
        let task = if is_slow { &self.slow } else { &self.fast };
        text(space.write("task.yaml", task))
    }
}

/// What the journal says, as `status` shows it.
fn status(space: &Space, task: &str) -> Value {
    milvusdm(space, &["status", task, "--json"])
        .run()
        .exits(0)
        .json()
}

/// Starts a task and kills it at random; gives the rows that were known to be written, and whether
/// some were still missing.
fn kill_once(space: &Space, task: &Task) -> (u64, bool) {
    let file = task.write(space, true);
    let mut child = milvusdm(space, &["run", &file]).start();
    let lasts_ms = ROWS * 1000 / PACE;
    std::thread::sleep(Duration::from_millis(40 + random(lasts_ms)));
    child.kill().expect("a child of ours");
    let _ = child.wait().expect("a child of ours");
    let status = status(space, &file);
    let written = status["targets"][0]["written"].as_u64().unwrap_or(0);
    (written, status["state"] == "unfinished")
}

/// Kills a task up to three times, then lets it come to its end.
fn kill_and_finish(space: &Space, route: &str, task: &Task) -> (u64, u64) {
    let (mut kills, mut inside) = (0, 0);
    for _ in 0..=random(3) {
        let (written, is_unfinished) = kill_once(space, task);
        println!(
            "{route}: killed with {written} of {ROWS} rows known, unfinished: {is_unfinished}"
        );
        kills += 1;
        inside += u64::from(written > 0 && is_unfinished);
        if !is_unfinished && written > 0 {
            // It was done before it was killed.
            return (kills, inside);
        }
    }
    let file = task.write(space, false);
    let report = milvusdm(space, &["run", &file, "--json"])
        .run()
        .exits(0)
        .json();
    let ledger = &report["ledger"];
    let accounted =
        ledger["written"].as_u64().unwrap_or(0) + ledger["deleted"].as_u64().unwrap_or(0);
    assert_eq!(accounted, ROWS, "{route}: {ledger}");
    assert_eq!(
        report["targets"][0]["rows_total"], ledger["written"],
        "{report:#}"
    );
    (kills, inside)
}

/// Most kills have to fall where something can go wrong.
fn most_were_inside(route: &str, kills: u64, inside: u64) {
    println!(
        "{route}: {inside} of {kills} kills between the first and the last acknowledged batch"
    );
    assert!(
        kills < 20 || inside * 10 >= kills * 8,
        "{route}: only {inside} of {kills}"
    );
}

fn into_files(from: From) {
    let route = format!("{from:?} to HDF5");
    let space = Space::new();
    let source = from.make(&space);
    let task = Task::new(&source, "{plugin: hdf5, path: out.h5}");
    milvusdm(&space, &["run", &task.write(&space, false)])
        .run()
        .exits(0);
    let wanted = std::fs::read(space.path("out.h5")).expect("the target");
    let (mut killed, mut inside) = (0, 0);
    while killed < kills() {
        std::fs::remove_file(space.path("out.h5")).expect("the target");
        let (kills, within) = kill_and_finish(&space, &route, &task);
        (killed, inside) = (killed + kills, inside + within);
        let found = std::fs::read(space.path("out.h5")).expect("the target");
        assert!(found == wanted, "{route}: the file differs");
        assert_eq!(partials(&space), [""; 0], "{route}");
    }
    most_were_inside(&route, killed, inside);
}

/// Files that a run left half-written.
fn partials(space: &Space) -> Vec<String> {
    let all = space.list(".").into_iter();
    all.filter(|name| name.ends_with(".partial")).collect()
}

fn into_a_server(from: From) {
    let route = format!("{from:?} to Milvus 1.x");
    let space = Space::new();
    let source = from.make(&space);
    let fresh = || Standin::start(StandinOptions::default()).expect("a server");
    let task_for = |server: &Standin| {
        let sink = format!("{{plugin: milvus1, uri: \"{}\", metric: L2}}", server.uri());
        Task::new(&source, &sink)
    };
    let server = fresh();
    let file = task_for(&server).write(&space, false);
    milvusdm(&space, &["run", &file]).run().exits(0);
    let wanted: BTreeMap<String, Rows> = stored(&server);
    let (mut killed, mut inside) = (0, 0);
    while killed < kills() {
        let server = fresh();
        let (kills, within) = kill_and_finish(&space, &route, &task_for(&server));
        (killed, inside) = (killed + kills, inside + within);
        assert!(stored(&server) == wanted, "{route}: the rows differ");
    }
    most_were_inside(&route, killed, inside);
}

#[test]
fn faiss_to_hdf5() {
    into_files(From::Faiss);
}

#[test]
fn a_milvus_directory_to_hdf5() {
    into_files(From::Milvus);
}

#[test]
fn a_milvus_directory_to_a_server() {
    into_a_server(From::Milvus);
}

#[test]
fn hdf5_to_a_server() {
    into_a_server(From::Hdf5);
}

/// Server and run are killed in turn; the server has what it acknowledged, from its folder.
#[test]
fn a_server_that_is_killed_too() {
    let space = Space::new();
    let source = From::Faiss.make(&space);
    let folder = text(space.folder("server"));
    let port = {
        // A port that stays the same for every server of this test.
        let first = Standin::start(StandinOptions::default()).expect("a server");
        first.port().to_string()
    };
    let args = ["--folder", folder.as_str(), "--port", port.as_str()];
    let sink = format!(
        "{{plugin: milvus1, uri: \"grpc://127.0.0.1:{port}\", metric: L2, retries: 1, timeout: 5}}"
    );
    let task = Task::new(&source, &sink);
    let file = task.write(&space, true);
    for _ in 0..kills() {
        let server = StandinProcess::start(&args);
        let mut child = milvusdm(&space, &["run", &file]).start();
        std::thread::sleep(Duration::from_millis(100 + random(400)));
        drop(server);
        let ended = child.wait().expect("a child of ours");
        assert!(!ended.success(), "{ended:?}");
        assert_eq!(status(&space, &file)["state"], "unfinished");
    }
    let _server = StandinProcess::start(&args);
    let file = task.write(&space, false);
    let report = milvusdm(&space, &["run", &file, "--json"])
        .run()
        .exits(0)
        .json();
    assert_eq!(report["targets"][0]["rows_total"], ROWS, "{report:#}");
    // Read back by the other way.
    let from = format!("milvus1:?uri=grpc://127.0.0.1:{port}");
    milvusdm(&space, &["copy", &from, "hdf5:back.h5"])
        .run()
        .exits(0);
    milvusdm(&space, &["copy", "faiss:in.index", "hdf5:whole.h5"])
        .run()
        .exits(0);
    let same = run_python(
        "same_rows.py",
        &[&text(space.path("back.h5")), &text(space.path("whole.h5"))],
    );
    assert_eq!(same.trim(), format!("{ROWS} rows are the same"));
}
