// SPDX-License-Identifier: Apache-2.0
//! Servers that refuse rows, die, are something else, or are left in the middle: what was moved is
//! told exactly, and nothing is left that looks whole.

use std::process::Child;
use std::time::{Duration, Instant};

use milvusdm_standin::{Standin, StandinOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Outcome, Space, StandinProcess, data, milvusdm, text};

fn server() -> Standin {
    Standin::start(StandinOptions::default()).expect("a server")
}

fn fault(server: &Standin, text: &str) {
    server.fail(text.parse().expect("a fault"));
}

/// Rows enough for some requests of a MiB.
fn some_rows() -> Value {
    json!({"plugin": "random", "rows": 20_000, "dim": 128, "seed": 1})
}

fn run(space: &Space, source: &Value, uri: &str, more: &Value) -> Outcome {
    let mut sink =
        json!({"plugin": "milvus1", "uri": uri, "metric": "L2", "request_mib": 1, "retries": 1});
    for (key, value) in more.as_object().expect("options") {
        sink[key] = value.clone();
    }
    let task = json!({"source": source, "sink": sink});
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(space, &["run", &task, "--json"])
        .limit_ms(60_000)
        .run()
}

#[test]
fn a_row_that_the_server_refuses_is_kept_and_told_and_all_others_arrive() {
    let (space, server) = (Space::new(), server());
    for id in [5, 77] {
        fault(&server, &format!("insert:id={id}=refuse:not this one"));
    }
    let source = json!({"plugin": "faiss", "path": text(data("faiss/flat_l2.index"))});
    let outcome = run(&space, &source, &server.uri(), &json!({})).exits(1);
    let outcome = outcome.says(&["rows are refused", "rejects"]);
    let report = outcome.json();
    let ledger = &report["ledger"];
    assert_eq!(
        (&ledger["written"], &ledger["rejected"]),
        (&json!(98), &json!(2))
    );
    assert!(outcome.stdout.contains("not this one"), "{outcome}");
    let found = server.collection("flat_l2").expect("a collection");
    assert_eq!(found.row_count(), 98);
    let folder = "home/milvusdm/rejects";
    let files: Vec<String> = space.list(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    let kept = std::fs::read_to_string(space.path(folder).join(&files[0])).expect("rows");
    let kept: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row in JSON"))
        .collect();
    let ids: Vec<&Value> = kept.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [5, 77]);
    for row in &kept {
        assert_eq!(row["reason"], "not this one");
        assert_eq!(row["vector"].as_array().map(Vec::len), Some(32));
    }
}

#[test]
fn a_server_that_dies_in_the_middle_ends_the_run_with_its_address() {
    for fault in [
        "insert@3=die-before",
        "insert@3=die-after",
        "flush@1=die-before",
    ] {
        let space = Space::new();
        let mut server = StandinProcess::start(&["--fail", fault]);
        let outcome = run(&space, &some_rows(), server.uri(), &json!({})).exits(4);
        let outcome = outcome.says(&[server.uri()]);
        assert!(outcome.wall_ms < 30_000, "{fault}: {outcome}");
        assert!(server.is_gone(), "{fault}");
        let report = outcome.json();
        assert_eq!(report["exit"], 4, "{fault}: {report:#}");
    }
}

#[test]
fn a_server_that_was_killed_and_comes_back_has_every_row_once() {
    for fault in ["insert@3=die-before", "insert@3=die-after"] {
        let space = Space::new();
        let state = text(space.folder("state"));
        let args = ["--folder", &state, "--fail", fault];
        let mut server = StandinProcess::start(&args);
        let port = server.uri().rsplit(':').next().expect("a port").to_owned();
        let uri = server.uri().to_owned();
        let again = std::thread::spawn(move || {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !server.is_gone() {
                assert!(Instant::now() < deadline, "it lives on");
                std::thread::sleep(Duration::from_millis(20));
            }
            StandinProcess::start(&["--folder", &state, "--port", &port])
        });
        let outcome = run(&space, &some_rows(), &uri, &json!({"retries": 8}));
        let _server = again.join().expect("a server");
        assert_eq!(outcome.exits(0).json()["ledger"]["written"], 20_000);
        let source = json!({"plugin": "milvus1", "uri": uri});
        let task = json!({"source": source, "sink": {"plugin": "hdf5", "path": "out/"}});
        let task = text(space.write("back.yaml", task.to_string()));
        let back = milvusdm(&space, &["run", &task, "--json"]).run().exits(0);
        assert_eq!(back.json()["ledger"]["found"], 20_000, "{fault}");
    }
}

#[test]
fn a_server_that_is_no_milvus_1_is_told_and_where_nobody_listens_too() {
    let space = Space::new();
    let later = Standin::start(StandinOptions {
        version: "2.3.5".to_owned(),
        ..StandinOptions::default()
    });
    let later = later.expect("a server");
    let stranger = server();
    fault(&stranger, "*=unimplemented");
    for server in [&later, &stranger] {
        let outcome = run(&space, &some_rows(), &server.uri(), &json!({})).exits(4);
        outcome.says(&["Milvus 2", &server.uri(), "milvus2"]);
        let source = json!({"plugin": "milvus1", "uri": server.uri()});
        let task = json!({"source": source, "sink": {"plugin": "null"}});
        let task = text(space.write("source.yaml", task.to_string()));
        let outcome = milvusdm(&space, &["run", &task]).run().exits(4);
        outcome.says(&["Milvus 2", &server.uri()]);
    }
    let outcome = run(&space, &some_rows(), "grpc://127.0.0.1:1", &json!({})).exits(4);
    outcome.says(&["grpc://127.0.0.1:1"]);
}

/// Waits until a collection has rows; a run that ends before is a failure.
fn wait_until_loading(server: &Standin, space: &Space, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let contents = server.contents();
        let waiting = contents.iter().flat_map(|c| &c.partitions);
        if waiting.map(|p| p.row_count + p.unflushed_rows).sum::<u64>() > 0 {
            return;
        }
        let ended = child.try_wait().expect("a child");
        let errors = || std::fs::read_to_string(space.path("errors")).unwrap_or_default();
        assert!(ended.is_none(), "it ended early, {ended:?}: {}", errors());
        assert!(Instant::now() < deadline, "it sends nothing: {}", errors());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_load_that_is_stopped_takes_back_what_it_made_and_says_what_stays() {
    for (signal, code, is_there_before) in [
        (Signal::TERM, 143, false),
        (Signal::INT, 130, false),
        (Signal::TERM, 143, true),
    ] {
        let space = Space::new();
        let server = Standin::start(StandinOptions {
            discards: true,
            ..StandinOptions::default()
        });
        let server = server.expect("a server");
        if is_there_before {
            let outcome = run(&space, &some_rows(), &server.uri(), &json!({}));
            outcome.exits(0);
        }
        let endless = json!({
            "source": {"plugin": "random", "rows": 250_000_000, "dim": 128, "seed": 1},
            "sink": {"plugin": "milvus1", "uri": server.uri(), "metric": "L2"},
            "mode": "append",
        });
        let task = text(space.write("endless.yaml", endless.to_string()));
        let mut child = milvusdm(&space, &["run", &task, "--json", "--no-journal"]).start();
        wait_until_loading(&server, &space, &mut child);
        std::thread::sleep(Duration::from_millis(300));
        kill_process(Pid::from_child(&child), signal).expect("a signal of ours");
        let sent = Instant::now();
        let status = child.wait().expect("a child");
        assert!(sent.elapsed() < Duration::from_secs(10), "it stops soon");
        let errors = std::fs::read_to_string(space.path("errors")).expect("what it said");
        assert_eq!(status.code(), Some(code), "{errors}");
        let report = std::fs::read(space.path("output")).expect("what it printed");
        let report: Value = serde_json::from_slice(&report).expect("a receipt");
        assert_eq!(report["exit"], code, "{report:#}");
        let status = &report["targets"][0]["status"];
        match is_there_before {
            false => {
                assert_eq!(status, "aborted", "{report:#}");
                assert_eq!(server.contents(), [], "what it made is taken back");
            }
            true => {
                assert_eq!(status, "left", "{report:#}");
                let told = report["notices"].to_string() + &errors;
                assert!(told.contains("rows of this run stay"), "{report:#}");
            }
        }
    }
}
