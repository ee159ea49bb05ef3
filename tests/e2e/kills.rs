// SPDX-License-Identifier: Apache-2.0
//! Runs that are killed at random moments and simply started again end as one that was left alone:
//! the same bytes in files, the same rows on a server, and a ledger that balances.
//!
//! A few kills for each route here; `make soak` sets `MILVUSDM_KILLS` to many. Each kill is printed
//! with the rows that the journal knew of (`--nocapture`), and most of them fall between the first
//! and the last acknowledged batch.
#![expect(clippy::print_stdout, reason = "each kill is logged")]

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
/// Rows that arrive of a source of which five in a hundred are deleted.
const LIVE: u64 = ROWS * 95 / 100;

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

/// A command that is killed.
struct Command {
    args: Vec<String>,
    route: String,
}

impl Command {
    fn new(route: &str, args: &[&str]) -> Self {
        Self {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            route: route.to_owned(),
        }
    }

    /// A task file, and the command that runs it.
    fn task(space: &Space, route: &str, source: &str, sink: &str) -> Self {
        let task = format!("source: {source}\nsink: {sink}\nmap: moved\nparallel: 2\n");
        let file = text(space.write("task.yaml", task));
        Self::new(route, &["run", &file])
    }

    fn with<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let own = self.args.iter().map(String::as_str);
        own.chain(more.iter().copied()).collect()
    }

    /// Runs it to its end.
    fn finish(&self, space: &Space) -> Value {
        let args = self.with(&["--json"]);
        milvusdm(space, &args).run().exits(0).json()
    }

    /// Starts it and kills it at random while it moves what is left; gives the rows that the
    /// journal knew of.
    fn kill(&self, space: &Space, left: u64) -> u64 {
        let pace = PACE.to_string();
        let args = self.with(&["--rows-per-second", &pace]);
        let mut child = milvusdm(space, &args).start();
        std::thread::sleep(Duration::from_millis(
            180 + random((left * 1000 / PACE).saturating_sub(330)),
        ));
        child.kill().expect("a child of ours");
        let _ = child.wait().expect("a child of ours");
        known_rows(space)
    }

    /// Kills it up to three times, then lets it come to its end.
    fn kill_and_finish(&self, space: &Space) -> Kills {
        let route = &self.route;
        let mut kills = Kills::default();
        let mut left = LIVE;
        for _ in 0..=random(3) {
            if left < LIVE / 2 {
                break;
            }
            let rows = self.kill(space, left);
            left = LIVE.saturating_sub(rows);
            println!("{route}: killed with {rows} of {ROWS} rows known");
            kills.all += 1;
            kills.inside += u64::from(rows > 0 && rows < LIVE);
            if is_finished(space) {
                // Its report was handed out: the same command would begin anew.
                return kills;
            }
        }
        let report = self.finish(space);
        let ledger = &report["ledger"];
        let count = |name: &str| ledger[name].as_u64().unwrap_or(0);
        let (found, moved) = (count("found"), count("written") + count("deleted"));
        assert!(found >= LIVE && moved == found, "{report:#}");
        let target = &report["targets"][0];
        assert_eq!(
            target["rows_total"], report["ledger"]["written"],
            "{report:#}"
        );
        kills
    }
}

/// Sums over what a query of the only journal gives.
fn journal(space: &Space, query: &str, number: impl Fn(&str) -> u64) -> u64 {
    let state = space.path("home/milvusdm/state");
    let files = space.list("home/milvusdm/state").into_iter();
    let mut files = files.filter(|name| name.ends_with(".journal"));
    let Some(file) = files.next() else { return 0 };
    assert_eq!(files.next(), None, "one command, one journal");
    let connection = rusqlite::Connection::open(state.join(file)).expect("the journal");
    // A process that was killed early has made no tables.
    let Ok(mut rows) = connection.prepare(query) else {
        return 0;
    };
    let rows = rows.query_map([], |row| row.get::<_, String>(0));
    let numbers = rows.expect("rows").map(|row| number(&row.expect("a row")));
    numbers.sum()
}

/// Rows that the journal knows to be written.
fn known_rows(space: &Space) -> u64 {
    journal(space, "SELECT acknowledged FROM split", |mark| {
        let mark: Value = serde_json::from_str(mark).expect("a mark");
        mark["written"].as_u64().expect("a number")
    })
}

fn is_finished(space: &Space) -> bool {
    let files = space.list("home/milvusdm/state");
    if !files.iter().any(|name| name.ends_with(".journal")) {
        // That of a command goes when all is done.
        let said = std::fs::read_to_string(space.path("errors")).expect("what it said");
        return said.contains("Writing ");
    }
    let is_reported = |reported: &str| u64::from(reported == "1");
    journal(
        space,
        "SELECT CAST(is_reported AS TEXT) FROM run",
        is_reported,
    ) > 0
}

/// How often a command was killed, and how often where something can go wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Kills {
    all: u64,
    inside: u64,
}

impl std::ops::AddAssign for Kills {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.inside += other.inside;
    }
}

impl Kills {
    /// Most kills have to fall between the first and the last acknowledged batch.
    fn were_inside(self, route: &str) {
        let Self { all, inside } = self;
        println!("{route}: {inside} of {all} kills between the first and the last batch");
        assert!(
            all < 20 || inside * 10 >= all * 8,
            "{route}: only {inside} of {all}"
        );
    }
}

/// Files that a run left half-written.
fn partials(space: &Space) -> Vec<String> {
    let all = space.list(".").into_iter();
    all.filter(|name| name.ends_with(".partial")).collect()
}

fn into_files(from: From, route: &str) {
    let space = Space::new();
    let source = from.make(&space);
    let command = Command::task(&space, route, &source, "{plugin: hdf5, path: out.h5}");
    let read = || std::fs::read(space.path("out.h5")).expect("the target");
    command.finish(&space);
    let wanted = read();
    let mut killed = Kills::default();
    while killed.all < kills() {
        std::fs::remove_file(space.path("out.h5")).expect("the target");
        killed += command.kill_and_finish(&space);
        assert!(read() == wanted, "{route}: the file differs");
        assert_eq!(partials(&space), [""; 0], "{route}");
    }
    killed.were_inside(route);
}

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

fn into_a_server(from: From, route: &str) {
    let space = Space::new();
    let source = from.make(&space);
    let command = |server: &Standin| {
        let sink = format!("{{plugin: milvus1, uri: \"{}\", metric: L2}}", server.uri());
        Command::task(&space, route, &source, &sink)
    };
    let whole = server();
    command(&whole).finish(&space);
    let wanted: BTreeMap<String, Rows> = stored(&whole);
    let mut killed = Kills::default();
    while killed.all < kills() {
        let server = server();
        killed += command(&server).kill_and_finish(&space);
        assert!(stored(&server) == wanted, "{route}: the rows differ");
    }
    killed.were_inside(route);
}

/// Everything below `backup` but the times in its manifest, and its seal.
fn dumped(space: &Space) -> (Vec<String>, Vec<u8>, Value) {
    let file = std::fs::read(space.path("backup/big/_default.h5")).expect("a file");
    let manifest = std::fs::read(space.path("backup/manifest.json")).expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&manifest).expect("a manifest");
    for time in ["/made", "/sha256", "/datasets/0/modified"] {
        *manifest.pointer_mut(time).expect("a member") = Value::Null;
    }
    (space.list("backup"), file, manifest)
}

#[test]
fn dumps() {
    let space = Space::new();
    From::Milvus.make(&space);
    let command = Command::new("dump", &["dump", "milvus1:in", "backup"]);
    command.finish(&space);
    let wanted = dumped(&space);
    let mut killed = Kills::default();
    while killed.all < kills() {
        std::fs::remove_dir_all(space.path("backup")).expect("a dump");
        killed += command.kill_and_finish(&space);
        // One that was killed at its very end wrote its manifest, or does so now.
        command.finish(&space);
        assert!(dumped(&space) == wanted, "the dump differs");
    }
    killed.were_inside("dump");
}

#[test]
fn restores() {
    let space = Space::new();
    From::Milvus.make(&space);
    let args = ["dump", "milvus1:in", "backup", "--no-journal"];
    milvusdm(&space, &args).run().exits(0);
    let command = |server: &Standin| {
        let sink = format!("milvus1:?uri={}", server.uri());
        Command::new("restore", &["restore", "backup", &sink])
    };
    let whole = server();
    command(&whole).finish(&space);
    let wanted = stored(&whole);
    let mut killed = Kills::default();
    while killed.all < kills() {
        // Each server has an address of its own, and so a journal.
        std::fs::remove_dir_all(space.path("home/milvusdm/state")).expect("the journals");
        let server = server();
        killed += command(&server).kill_and_finish(&space);
        assert!(stored(&server) == wanted, "the rows differ");
    }
    killed.were_inside("restore");
}

#[test]
fn faiss_to_hdf5() {
    into_files(From::Faiss, "Faiss to HDF5");
}

#[test]
fn a_milvus_directory_to_hdf5() {
    into_files(From::Milvus, "Milvus directory to HDF5");
}

#[test]
fn a_milvus_directory_to_a_server() {
    into_a_server(From::Milvus, "Milvus directory to Milvus");
}

#[test]
fn hdf5_to_a_server() {
    into_a_server(From::Hdf5, "HDF5 to Milvus");
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
    let command = Command::task(&space, "server", &source, &sink);
    let pace = PACE.to_string();
    for _ in 0..kills() {
        let server = StandinProcess::start(&args);
        let run = command.with(&["--rows-per-second", &pace]);
        let mut child = milvusdm(&space, &run).start();
        std::thread::sleep(Duration::from_millis(100 + random(300)));
        drop(server);
        if child.wait().expect("a child of ours").success() {
            break;
        }
    }
    let _server = StandinProcess::start(&args);
    if !is_finished(&space) {
        let report = command.finish(&space);
        assert_eq!(report["targets"][0]["rows_total"], ROWS, "{report:#}");
    }
    // Read back by the other way.
    let from = format!("milvus1:?uri=grpc://127.0.0.1:{port}");
    milvusdm(&space, &["copy", &from, "hdf5:back.h5", "--no-journal"])
        .run()
        .exits(0);
    milvusdm(
        &space,
        &["copy", "faiss:in.index", "hdf5:whole.h5", "--no-journal"],
    )
    .run()
    .exits(0);
    let same = run_python(
        "same_rows.py",
        &[&text(space.path("back.h5")), &text(space.path("whole.h5"))],
    );
    assert_eq!(same.trim(), format!("{ROWS} rows are the same"));
}
