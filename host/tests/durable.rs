// SPDX-License-Identifier: Apache-2.0
//! What the journal of a run says when the sink fails near the end.

mod memory;

use std::path::Path;

use memory::{assert_done, capabilities, stored, task, with};
use milvusdm::control::Control;
use milvusdm::journal::{Journal, Stage};
use milvusdm::plan::{Plan, Run};
use milvusdm::registry::Registry;
use milvusdm::report::{RunReport, Status};
use milvusdm::task::Task;
use milvusdm_plugin_api::ErrorKind;
use serde_json::json;

const ROWS: u64 = 100;

/// Runs a task with a journal, into a target whose rows have places.
fn run(journal: &Path, store: &str, sin: &str) -> RunReport {
    let addressed = json!({"addressed_writes": true});
    let datasets = json!([{"name": "a", "splits": [ROWS]}]);
    let mut task = task(store, &datasets, &with(capabilities(), addressed));
    task["sink"]["sin"] = sin.into();
    task["sink"]["resumable"] = true.into();
    let task = Task::parse(&task.to_string(), "task.yaml").unwrap();
    let (registry, control) = (Registry::linked().unwrap(), Control::new());
    let plan = Plan::make(&task, &registry, &control, Run::New).unwrap();
    let journal = Journal::open(journal).unwrap();
    milvusdm::engine::run(&plan, &control, Some(&journal))
}

/// The stage of the only target, and how many of its rows are known to be durable.
fn known(journal: &Path) -> (Stage, u64) {
    let (found, is_running) = Journal::look(journal).unwrap();
    assert!(!is_running);
    let target = found.unwrap().run.targets.remove(0);
    let durable = target.splits.iter().map(|split| split.durable.written);
    (target.stage.clone(), durable.sum())
}

#[test]
fn a_target_is_durable_before_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("a.journal");
    let report = run(&journal, "durable", "must be durable first");
    assert_done(&report, ROWS);
    let (stage, durable) = known(&journal);
    assert!(matches!(stage, Stage::Finished(_)), "{stage:?}");
    assert_eq!(durable, ROWS);
}

#[test]
fn a_target_of_which_the_disk_lost_something_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("a.journal");
    let report = run(&journal, "lost", "fails to flush, once");
    let error = report.error.as_ref().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(report.targets[0].status, Status::Aborted);
    assert!(stored("lost", "a").is_none());
    // Nothing is left of it.
    assert_eq!(Journal::look(&journal).unwrap(), (None, false));
}

#[test]
fn a_target_that_could_not_be_finished_is_not_looked_for_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("a.journal");
    let report = run(&journal, "unfinished", "fails to finish");
    let error = report.error.as_ref().unwrap().to_string();
    assert!(error.contains("its folder is gone"), "{error}");
    assert_eq!(report.targets[0].status, Status::Kept);
    assert_eq!(known(&journal), (Stage::Prepared, ROWS));
}

#[test]
fn a_failure_before_what_is_done_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, control) = (Registry::linked().unwrap(), Control::new());
    let journal = Journal::open(&folder.path().join("a.journal")).unwrap();
    let plan = |sin: &str, run: Run<'_>| {
        let datasets = json!([{"name": "a", "splits": [ROWS]}, {"name": "b", "splits": [ROWS]}]);
        let mut task = task("behind", &datasets, &capabilities());
        task["sink"]["sin"] = sin.into();
        task["sink"]["existing"] = json!(["b"]);
        task["mode"] = "overwrite".into();
        let task = Task::parse(&task.to_string(), "task.yaml").unwrap();
        Plan::make(&task, &registry, &control, run).unwrap()
    };
    let report = milvusdm::engine::run(&plan("", Run::New), &control, Some(&journal));
    assert_done(&report, 2 * ROWS);
    // As if the first had been taken away since, and could not be made again.
    let mut earlier = journal.last().unwrap().unwrap();
    earlier.run.sink["sin"] = "cannot prepare".into();
    earlier.run.targets[0].stage = Stage::Planned;
    let again = plan("cannot prepare", Run::Resumed(&earlier));
    let report = milvusdm::engine::run(&again, &control, Some(&journal));
    let error = report.error.as_ref();
    assert_eq!(
        error.map(milvusdm_plugin_api::Error::kind),
        Some(ErrorKind::Denied),
        "{report:#?}"
    );
    let kept = journal.last().unwrap().unwrap().run;
    assert!(
        matches!(kept.targets[1].stage, Stage::Finished(_)),
        "{kept:?}"
    );
    assert!(kept.is_unfinished());
}
