// SPDX-License-Identifier: Apache-2.0
//! Whole reports as they are printed, word for word, and verdicts that must not be too good.

use std::collections::BTreeMap;

use milvusdm_plugin_api::model::{IdPolicy, IndexDefinition};
use milvusdm_plugin_api::{Error, ErrorKind, Node};
use serde_json::json;

use super::{inspect, plan, run, settle};
use crate::convert::{Class, Conversion};
use crate::failure::{DONE, ENDPOINT, INTERNAL, REFUSED, WITH_LOSSES};
use crate::ledger::Ledger;
use crate::report::{
    Action, ColumnView, DatasetView, InspectReport, PluginView, Refusal, RejectedRow, RunReport,
    Status, TargetView, VERSION,
};

fn plugin(name: &str) -> PluginView {
    PluginView {
        file: None,
        sha256: None,
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn dataset(collection: &str, partition: Option<&str>, ledger: Option<Ledger>) -> DatasetView {
    DatasetView {
        collection: collection.to_owned(),
        partition: partition.map(str::to_owned),
        rows: Some(400_000),
        rows_exact: true,
        deleted: None,
        dim: Some(128),
        vector: Some("dense f32".to_owned()),
        metric: Some("l2".to_owned()),
        ids: IdPolicy::Given,
        columns: vec![ColumnView {
            name: "id".to_owned(),
            role: Some("id".to_owned()),
            type_name: "Int64".to_owned(),
        }],
        bytes: Some(208_000_000),
        fingerprint: None,
        indexes: Vec::new(),
        splits: Some(4),
        target: Some("all".to_owned()),
        ledger,
    }
}

fn target(status: Status, ledger: Ledger) -> TargetView {
    TargetView {
        name: "all".to_owned(),
        location: "out/all.h5".to_owned(),
        action: Action::Create,
        status,
        rows_before: None,
        rows_added: Some(ledger.written).filter(|_| status == Status::Done),
        rows_total: Some(ledger.written).filter(|_| status == Status::Done),
        bytes: Some(208_000_000),
        needs_bytes: Some(208_002_048),
        free_bytes: Some(70_000_000_000),
        conversions: vec![Conversion {
            column: "notes".to_owned(),
            from: "Utf8".to_owned(),
            to: None,
            class: Class::Dropped,
        }],
        ledger,
        hash: None,
    }
}

fn report(ledgers: [Ledger; 2], status: Status, exit: u8) -> RunReport {
    let [first, second] = ledgers;
    let sum: Ledger = ledgers.into_iter().sum();
    RunReport {
        version: VERSION,
        program: "milvusdm 1".to_owned(),
        run: String::new(),
        began: 0,
        source: plugin("faiss"),
        sink: plugin("hdf5"),
        datasets: vec![
            dataset("faces", Some("p1"), Some(first)),
            dataset("docs", None, Some(second)),
        ],
        targets: vec![target(status, sum)],
        ledger: sum,
        rejected_rows: Vec::new(),
        refusals: Vec::new(),
        notices: Vec::new(),
        rows: sum.written,
        bytes: 416_000_000,
        seconds: 2.0,
        error: None,
        verified: None,
        exit,
    }
}

fn balanced() -> [Ledger; 2] {
    [400_000, 400_000].map(|rows| Ledger {
        written: rows,
        ..Ledger::of(Some(rows))
    })
}

#[test]
fn a_run_shows_its_ledger_and_its_verdict() {
    let mut report = report(balanced(), Status::Done, DONE);
    report.notices.push("the metric is unknown".to_owned());
    settle(&mut report);
    assert_eq!(report.exit, DONE);
    let wanted = "\
faiss -> hdf5

DATASET     FOUND  WRITTEN  DELETED  SKIPPED  COLLAPSED  REJECTED  LOST
faces/p1  400,000  400,000        0        0          0         0     0
docs      400,000  400,000        0        0          0         0     0
total     800,000  800,000        0        0          0         0     0

TARGET  ACTION  STATUS    ADDED     ROWS       SIZE  LOCATION
all     create  done    800,000  800,000  198.4 MiB  out/all.h5

Converted
  all: column `notes`: Utf8 is left out (dropped)

note: the metric is unknown

800,000 rows, 396.7 MiB in 2.0 s (400,000 rows/s, 198.4 MiB/s)
Done, the ledger is balanced: 800,000 found = 800,000 written.
";
    assert_eq!(run(&report), wanted);
}

#[test]
fn rejected_rows_are_shown_and_make_the_run_one_with_losses() {
    let mut ledgers = balanced();
    ledgers[1].written -= 3;
    ledgers[1].rejected = 2;
    ledgers[1].lost = 1;
    let mut report = report(ledgers, Status::Done, DONE);
    report.rejected_rows.push(RejectedRow {
        dataset: "docs".to_owned(),
        split: "rows:0-400000".to_owned(),
        row: 17,
        id: Some("42".to_owned()),
        reason: "column `id`: it is\nnull".to_owned(),
    });
    settle(&mut report);
    assert_eq!(report.exit, WITH_LOSSES);
    let shown = run(&report);
    assert!(shown.contains("\nRejected rows (the first 1 of 2)\n  docs rows:0-400000 row 17 (id 42): column `id`: it is\u{FFFD}null\n"), "{shown}");
    let last = "Finished WITH LOSSES, the ledger is balanced: 800,000 found = 799,997 written + 2 rejected + 1 lost.\n";
    assert!(shown.ends_with(last), "{shown}");
}

#[test]
fn no_report_can_claim_success_without_a_balanced_ledger() {
    let mut short = balanced();
    short[0].written -= 1;
    let mut unbalanced = report(short, Status::Done, DONE);
    settle(&mut unbalanced);
    assert_eq!(unbalanced.exit, INTERNAL);
    let last =
        "NOT BALANCED: faces/p1: 400,000 found ≠ 399,999 written + 1 missing (and 1 more).\n";
    assert!(run(&unbalanced).ends_with(last), "{}", run(&unbalanced));

    // Two faults that cancel each other out in the sum.
    let mut crossed = balanced();
    crossed[0].written -= 1;
    crossed[1].written += 1;
    let mut crossed = report(crossed, Status::Done, DONE);
    settle(&mut crossed);
    assert_eq!(crossed.exit, INTERNAL);

    let mut without = report(balanced(), Status::Done, DONE);
    without.datasets[1].ledger = None;
    settle(&mut without);
    assert_eq!(without.exit, INTERNAL);
    assert!(run(&without).ends_with("NOT BALANCED: docs: there is no account of it.\n"));

    for status in [Status::Planned, Status::Aborted] {
        let mut unfinished = report(balanced(), status, DONE);
        settle(&mut unfinished);
        assert_eq!(unfinished.exit, INTERNAL);
        assert!(
            run(&unfinished).contains("Not done (exit code 5)"),
            "{}",
            run(&unfinished)
        );
    }
}

#[test]
fn a_run_that_stopped_says_so_last() {
    let mut stopped = report(balanced(), Status::Aborted, ENDPOINT);
    stopped.error = Some(Error::new(ErrorKind::Io, "disk full"));
    settle(&mut stopped);
    assert_eq!(stopped.exit, ENDPOINT);
    let last = run(&stopped).lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("Not finished: "), "{last}");
}

#[test]
fn a_source_that_can_not_count_is_told_apart_from_a_balanced_one() {
    let unknown = Ledger {
        written: 7,
        ..Ledger::of(None)
    };
    let mut report = report([unknown, unknown], Status::Done, DONE);
    settle(&mut report);
    assert_eq!(report.exit, DONE);
    let last = "Done: 14 rows written; the source does not tell how many it has, so there is nothing to compare that with.\n";
    assert!(run(&report).ends_with(last), "{}", run(&report));
}

#[test]
fn a_plan_shows_what_would_be_done_and_what_stands_in_the_way() {
    let mut planned = report([Ledger::of(Some(400_000)); 2], Status::Planned, DONE);
    let wanted = "\
faiss -> hdf5

DATASET      ROWS  SPLITS       SIZE  VECTOR     METRIC  IDS          TARGET
faces/p1  400,000       4  198.4 MiB  128 x f32  l2      given Int64  all
docs      400,000       4  198.4 MiB  128 x f32  l2      given Int64  all

TARGET  ACTION  ROWS NOW      NEEDS      FREE  LOCATION
all     create         -  198.4 MiB  65.2 GiB  out/all.h5

Converted
  all: column `notes`: Utf8 is left out (dropped)

This task can run: 800,000 rows in 2 datasets, 396.7 MiB. Nothing was written.
";
    assert_eq!(plan(&planned), wanted);
    planned.refusals.push(Refusal {
        about: "all".to_owned(),
        error: Error::new(ErrorKind::Exists, "it exists already")
            .with("at", "t.yaml:3:7")
            .with("file", "out/all.h5")
            .help("choose a `mode`"),
        exit: REFUSED,
    });
    planned.exit = REFUSED;
    let shown = plan(&planned);
    let refused =
        "\nRefused\n  t.yaml:3:7: all: it exists already (file: out/all.h5); choose a `mode`\n";
    assert!(shown.contains(refused), "{shown}");
    assert!(
        shown.ends_with("This task can't run as it stands, for 1 reason. Nothing was written.\n")
    );
    assert_eq!(
        run(&planned),
        "Nothing was written: the task is refused for 1 reason.\n"
    );
}

#[test]
fn inspect_shows_datasets_indexes_and_the_tree() {
    let mut only = dataset("catalog", None, None);
    only.rows_exact = false;
    only.metric = None;
    only.indexes.push(IndexDefinition {
        field: "vector".to_owned(),
        family: "ivf".to_owned(),
        quantizer: "sq8".to_owned(),
        params: json!({"nlist": 4096})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        ..IndexDefinition::default()
    });
    let leaf = |label: &str| Node {
        label: label.to_owned(),
        ..Node::default()
    };
    let tree = Node {
        label: "IndexIDMap (IxMp)".to_owned(),
        facts: BTreeMap::from([
            ("dim".to_owned(), json!(128)),
            ("rows".to_owned(), json!(400_000)),
        ]),
        children: vec![
            Node {
                children: vec![leaf("coarse\u{1b}")],
                ..leaf("IndexIVFFlat (IwFl)")
            },
            leaf("id map"),
        ],
    };
    let report = InspectReport {
        version: VERSION,
        plugin: plugin("faiss"),
        datasets: vec![only],
        trees: vec![tree],
        notices: vec!["the metric is not in the file".to_owned()],
        refusals: Vec::new(),
        exit: DONE,
    };
    let wanted = "\
COLLECTION      ROWS  DELETED       SIZE  VECTOR     METRIC   IDS
catalog     ~400,000        -  198.4 MiB  128 x f32  unknown  given Int64

Indexes
  catalog: ivf sq8 on vector (nlist 4096)

IndexIDMap (IxMp): dim 128, rows 400000
├── IndexIVFFlat (IwFl)
│   └── coarse\u{FFFD}
└── id map

note: the metric is not in the file
";
    assert_eq!(inspect(&report), wanted);
}
