// SPDX-License-Identifier: Apache-2.0
//! The engine against a source and a sink of known rows: order, cutting, ledger, faults.

mod memory;

use std::time::Duration;

use memory::{assert_done, capabilities, ids, one, planned_ids, run, run_with, stored, task, with};
use milvusdm::control::Control;
use milvusdm::report::{Action, RunReport, Status};
use milvusdm_plugin_api::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The same with a sin of the source's or the sink's.
fn sinning(store: &str, side: &str, sin: &str) -> Value {
    let mut task = one(store, &[100, 100]);
    task[side]["sin"] = sin.into();
    task["memory"] = "16MiB".into();
    task["source"]["dim"] = 50_000.into();
    task
}

/// A run that failed: exit code, kind, and nothing that looks whole.
fn assert_failed(report: &RunReport, store: &str, exit: u8, text: &str) {
    let error = report.error.as_ref().expect("the run failed").to_string();
    assert_eq!(report.exit, exit, "{error}");
    assert!(error.contains(text), "{error}");
    assert_eq!(report.targets[0].status, Status::Aborted);
    assert!(stored(store, "a").is_none(), "nothing is published");
    assert_eq!(
        report.ledger.written, 0,
        "what is taken back is not written"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_reach_an_ordered_sink_in_plan_order(
        splits in prop::collection::vec(0u64..400, 1..12),
        parallel in 1u32..9,
        request_bytes in 24u64..4000,
        request_rows in prop::option::of(1u64..50),
    ) {
        let limits = json!({"max_request_bytes": request_bytes, "max_request_rows": request_rows});
        let mut task = task("order", &json!([{"name": "a", "splits": splits}]), &with(capabilities(), limits));
        task["parallel"] = parallel.into();
        let report = run(&task);
        let rows = splits.iter().sum();
        assert_done(&report, rows);
        let stored = stored("order", "a").unwrap();
        prop_assert_eq!(ids(&stored), planned_ids(&splits));
        for (_, batch) in &stored.batches {
            let size = batch.num_rows() as u64;
            prop_assert!(size <= request_rows.unwrap_or(u64::MAX) && (size == 1 || size * 24 <= request_bytes));
        }
        let sums = stored.batches.iter().scan(0, |row, (at, batch)| {
            let is_next = at == row;
            *row += batch.num_rows() as u64;
            Some(is_next)
        });
        prop_assert!(sums.into_iter().all(|is_next| is_next), "rows are numbered one after the other");
    }

    #[test]
    fn rows_that_are_addressed_come_with_their_places(
        splits in prop::collection::vec(0u64..400, 1..12),
        request_rows in 1u64..50,
    ) {
        let wanted = json!({"addressed_writes": true, "parallel_writers": 0, "max_request_rows": request_rows});
        let task = task("places", &json!([{"name": "a", "splits": splits}]), &with(capabilities(), wanted));
        assert_done(&run(&task), splits.iter().sum());
        let mut stored = stored("places", "a").unwrap();
        stored.batches.sort_by_key(|(at, _)| *at);
        prop_assert_eq!(ids(&stored), planned_ids(&splits));
    }
}

#[test]
fn a_reader_that_ignores_the_ceiling_is_cut() {
    let mut task = task(
        "cut",
        &json!([{"name": "a", "splits": [1000]}]),
        &with(capabilities(), json!({"max_request_rows": 7})),
    );
    task["source"]["sin"] = "ignores the ceiling".into();
    assert_done(&run(&task), 1000);
    let stored = stored("cut", "a").unwrap();
    assert!(
        stored
            .batches
            .iter()
            .all(|(_, batch)| batch.num_rows() <= 7)
    );
    assert_eq!(ids(&stored), planned_ids(&[1000]));
}

#[test]
fn deleted_rows_are_found_but_not_written() {
    let mut task = one("deleted", &[10, 20]);
    task["source"]["deleted"] = 3.into();
    let report = run(&task);
    assert_eq!(report.exit, 0);
    let ledger = report.datasets[0].ledger.unwrap();
    assert_eq!(
        (ledger.found, ledger.written, ledger.deleted),
        (Some(36), 30, 6)
    );
}

#[test]
fn a_count_that_nobody_knows_is_stated_as_unknown() {
    let mut task = one("unknown", &[10, 20]);
    task["source"]["counts_unknown"] = true.into();
    let report = run(&task);
    assert_eq!(
        (report.exit, report.ledger.found, report.ledger.written),
        (0, None, 30)
    );
}

#[test]
fn a_reader_that_loses_or_invents_a_row_fails_the_run() {
    let report = run(&sinning("less", "source", "gives a row less"));
    assert_failed(&report, "less", 5, "100 rows found, 99 accounted for");
    let report = run(&sinning("more", "source", "gives a row more"));
    assert_failed(&report, "more", 3, "announced with 100 rows");
}

#[test]
fn a_writer_that_forgets_a_row_fails_the_run() {
    let report = run(&sinning("forgets", "sink", "forgets a row"));
    assert_failed(&report, "forgets", 3, "rows");
}

#[test]
fn a_writer_that_drops_a_row_silently_is_found_out_by_the_count_at_the_end() {
    let report = run(&sinning("drops", "sink", "drops a row silently"));
    assert_eq!(report.exit, 5);
    let error = report.error.unwrap().to_string();
    assert!(
        error.contains("acknowledged 200 rows, but counts 199"),
        "{error}"
    );
}

#[test]
fn failures_in_the_middle_publish_nothing() {
    let report = run(&sinning("read", "source", "fails at row 50"));
    assert_failed(&report, "read", 4, "the disk is gone");
    let report = run(&sinning("panic", "source", "panics at row 50"));
    assert_failed(&report, "panic", 3, "plugin panicked in `reader_next`");
    let report = run(&sinning("write", "sink", "fails to write"));
    assert_failed(&report, "write", 4, "the disk is full");
    let report = run(&sinning("prepare", "sink", "cannot prepare"));
    assert_failed(&report, "prepare", 4, "no");
}

#[test]
fn a_reader_that_fails_while_the_target_is_made_ready_fails_the_run() {
    let limits = json!({"max_request_rows": 10});
    let datasets = json!([{"name": "a", "splits": [100]}]);
    let mut task = task("early", &datasets, &with(capabilities(), limits));
    task["source"]["sin"] = "fails at row 50".into();
    for sin in ["prepares slowly", "cannot prepare, slowly"] {
        task["sink"]["sin"] = sin.into();
        assert_failed(&run(&task), "early", 4, "the disk is gone");
    }
}

#[test]
fn rejected_rows_are_counted_and_named() {
    let mut task = task(
        "rejects",
        &json!([{"name": "a", "splits": [10]}]),
        &with(capabilities(), json!({"max_request_rows": 5})),
    );
    task["sink"]["sin"] = "rejects the first row of each batch".into();
    let report = run(&task);
    assert_eq!(
        (report.exit, report.ledger.written, report.ledger.rejected),
        (1, 8, 2)
    );
    let rows: Vec<(u64, &str)> = report
        .rejected_rows
        .iter()
        .map(|r| (r.row, r.reason.as_str()))
        .collect();
    assert_eq!(rows, [(0, "it is the first"), (5, "it is the first")]);
}

#[test]
fn a_wish_to_stop_is_heard_within_a_batch_and_publishes_nothing() {
    let mut task = sinning("stop", "source", "");
    task["source"]["delay_ms"] = 20.into();
    let control = Control::new();
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_with(&task, &control));
        std::thread::sleep(Duration::from_millis(70));
        control.cancel(15);
        let asked = std::time::Instant::now();
        let report = running.join().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2));
        report
    });
    assert_failed(&report, "stop", 143, "stopped on request");
    assert_eq!(report.error.unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn each_mode_does_what_it_says_where_the_target_exists() {
    for (mode, action, exit, rows) in [
        ("fail", Action::Refuse, 2, 0),
        ("skip", Action::Skip, 0, 0),
        ("append", Action::Append, 0, 10),
        ("overwrite", Action::Overwrite, 0, 10),
    ] {
        let mut task = one(&format!("mode-{mode}"), &[10]);
        task["mode"] = mode.into();
        task["sink"]["existing"] = json!(["a"]);
        let report = run(&task);
        assert_eq!(
            (report.exit, report.targets[0].action),
            (exit, action),
            "{mode}"
        );
        assert_eq!(report.ledger.written, rows, "{mode}");
        assert_eq!(
            stored(&format!("mode-{mode}"), "a").is_some(),
            rows > 0,
            "{mode}"
        );
        assert!(exit != 0 || report.ledger.is_balanced(), "{mode}");
    }
}

#[test]
fn datasets_are_selected_renamed_and_merged() {
    let datasets = json!([
        {"name": "faces/p1", "splits": [3]}, {"name": "faces/p2", "splits": [4]}, {"name": "logs", "splits": [5]},
    ]);
    let mut task = task("merged", &datasets, &capabilities());
    task["select"] = json!({"include": ["faces"]});
    task["map"] = json!("all/one");
    let report = run(&task);
    assert_done(&report, 7);
    assert_eq!((report.targets.len(), report.datasets.len()), (1, 2));
    assert_eq!(stored("merged", "all/one").unwrap().batches.len(), 2);
}

#[test]
fn everything_that_stands_in_the_way_is_listed_at_once() {
    let mut task = one("refused", &[10]);
    task["select"] = json!({"include": ["a", "b"]});
    task["convert"] = json!({"columns": {"vektor": "drop"}});
    task["sink"]["existing"] = json!(["a"]);
    let report = run(&task);
    assert_eq!(report.exit, 2);
    let texts: Vec<String> = report
        .refusals
        .iter()
        .map(|r| r.error.to_string())
        .collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts.iter().any(|t| t.contains("`b` matches nothing")),
        "{texts:?}"
    );
    assert!(
        texts.iter().any(|t| t.contains("did you mean `vector`?")),
        "{texts:?}"
    );
    assert!(
        texts.iter().any(|t| t.contains("exists already")),
        "{texts:?}"
    );
}

#[test]
fn a_full_volume_is_known_before_the_first_byte() {
    let datasets = json!([{"name": "a", "splits": [100]}, {"name": "b", "splits": [100]}]);
    let mut task = task("full", &datasets, &capabilities());
    task["sink"]["free_bytes"] = 2000.into();
    let report = run(&task);
    assert_eq!(report.exit, 4);
    let text = report.refusals[0].error.to_string();
    assert!(
        text.contains("needs 3200 bytes, but only 2000 are free"),
        "{text}"
    );
    task["sink"]["free_bytes"] = 3200.into();
    assert_done(&run(&task), 200);
}

#[test]
fn a_source_that_can_not_be_opened_is_a_failure_with_its_own_words() {
    let registry = milvusdm::registry::Registry::linked().unwrap();
    for (sin, exit, text) in [
        ("cannot open", 4, "bad magic"),
        ("panics at open", 3, "panicked in `source_open`"),
    ] {
        let task = sinning("open", "source", sin).to_string();
        let task = milvusdm::task::Task::parse(&task, "task.yaml").unwrap();
        let failure = milvusdm::plan::Plan::make(
            &task,
            &registry,
            &Control::new(),
            milvusdm::plan::Run::Unkept,
        )
        .unwrap_err();
        assert_eq!(failure.exit, exit);
        assert!(
            failure.error.to_string().contains(text),
            "{}",
            failure.error
        );
    }
}

#[test]
fn a_split_that_is_missing_is_noticed_before_anything_is_written() {
    let registry = milvusdm::registry::Registry::linked().unwrap();
    let task = sinning("splits", "source", "loses its last split").to_string();
    let task = milvusdm::task::Task::parse(&task, "task.yaml").unwrap();
    let failure = milvusdm::plan::Plan::make(
        &task,
        &registry,
        &Control::new(),
        milvusdm::plan::Run::Unkept,
    )
    .unwrap_err();
    assert_eq!(failure.exit, 3);
    let text = failure.error.to_string();
    assert!(
        text.contains("exactly 200 rows, but its splits have 100"),
        "{text}"
    );
}

#[test]
fn what_would_do_nothing_is_refused() {
    let mut task = one("nothing", &[10]);
    task["select"] = json!({"exclude": ["*"]});
    let report = run(&task);
    assert_eq!(report.exit, 2);
    let text = report.refusals[0].error.to_string();
    assert!(text.contains("nothing is left to be moved"), "{text}");
    let mut task = one("duplicates", &[10]);
    task["convert"] = json!({"duplicates": "error"});
    let report = run(&task);
    assert_eq!(report.exit, 2);
    let text = report.refusals[0].error.to_string();
    assert!(text.contains("side by side"), "{text}");
}

#[test]
fn datasets_that_can_not_share_a_target_are_shown_and_refused() {
    let datasets = json!([{"name": "a", "splits": [3]}, {"name": "b", "splits": [4]}]);
    let mut task = task("sharing", &datasets, &capabilities());
    task["map"] = json!([{"from": "a", "to": "x"}, {"from": "b", "to": "x"}]);
    task["source"]["sin"] = "dimensions differ".into();
    let report = run(&task);
    assert_eq!((report.exit, report.datasets.len()), (2, 2));
    let text = report.refusals[0].error.to_string();
    assert!(text.contains("differ in column `vector`"), "{text}");
}

#[test]
fn what_can_not_be_taken_back_is_not_said_to_be() {
    let datasets = json!([{"name": "a", "splits": [100]}]);
    let mut task = task("lasting", &datasets, &capabilities());
    task["sink"]["sin"] = "fails for good".into();
    task["source"]["dim"] = 50_000.into();
    task["memory"] = "16MiB".into();
    let report = run(&task);
    assert_eq!(report.targets[0].status, Status::Left);
    assert!(report.ledger.written > 0, "rows that are there are counted");
}
