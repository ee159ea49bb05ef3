// SPDX-License-Identifier: Apache-2.0
//! Peak memory on the ways from and to Milvus 1.x is 64 MiB and what the task's `memory` says.

use serde_json::{Value, json};

use crate::support::{Space, StandinProcess, milvusdm, run_python, text};

/// What there is beside `memory`, in MiB.
const CONSTANT_MIB: u64 = 64;
const MEMORY_MIB: u64 = 32;
/// With the dimension 128, 620 MB of vectors and ids in three segments, one row of 20 deleted.
const ROWS: u64 = 1_200_000;
const LIVE: u64 = ROWS / 20 * 19;

fn stays_bounded(space: &Space, source: &Value, sink: &Value, written: u64) {
    let memory = format!("{MEMORY_MIB}MiB");
    let task = json!({"source": source, "sink": sink, "memory": memory});
    let task = text(space.write("task.yaml", task.to_string()));
    let outcome = milvusdm(space, &["run", &task, "--json"]).run().exits(0);
    let report = outcome.within_mib(CONSTANT_MIB + MEMORY_MIB).json();
    assert_eq!(report["ledger"]["written"], written, "{report:#}");
}

#[test]
fn a_directory_of_620_mb_goes_to_files_and_to_servers_and_back_in_bounded_memory() {
    let space = Space::new();
    let home = text(space.path("in"));
    let args = [&*home, &ROWS.to_string(), "128", "3", "0.05"];
    run_python("make_milvus1_data.py", &args);
    let directory = json!({"plugin": "milvus1", "path": home});
    let file = json!({"plugin": "hdf5", "path": "out.h5"});
    stays_bounded(&space, &directory, &file, LIVE);
    std::fs::remove_file(space.path("out.h5")).expect("the target");

    let counting = StandinProcess::start(&["--discard"]);
    let sink = json!({"plugin": "milvus1", "uri": counting.uri()});
    stays_bounded(&space, &directory, &sink, LIVE);

    let keeping = StandinProcess::start(&[]);
    let server = json!({"plugin": "milvus1", "uri": keeping.uri()});
    stays_bounded(&space, &directory, &server, LIVE);
    stays_bounded(&space, &server, &json!({"plugin": "null"}), LIVE);
}
