// SPDX-License-Identifier: Apache-2.0
//! `verify`: the task, its plan as if targets that exist were left alone, and the comparison.

use std::collections::BTreeMap;

use milvusdm_plugin_api::Mode;

use super::args::VerifyArgs;
use super::kept::Seen;
use super::look::show_refusals;
use super::progress::ProgressView;
use super::run::hide_secrets;
use super::session::{Answer, Session, to_value};
use super::{dump, render};
use crate::failure::Failure;
use crate::plan::{Plan, PlannedTarget, Run};
use crate::program;
use crate::registry::Registry;
use crate::report::RunReport;
use crate::task::Task;
use crate::verify::{Verification, VerifyReport, Written};

/// Compares the targets of a task with their sources.
pub(super) fn verify(session: &Session, args: &VerifyArgs) -> Result<Answer, Failure> {
    if dump::is_dump(&args.what) {
        return dump::check(session, args);
    }
    let registry = session.registry()?;
    let mut task = Task::load(&args.what, &session.defaults).map_err(Failure::task)?;
    // Targets that exist are what this is about; nothing is written whatever the mode.
    task.mode = Mode::Skip;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let progress = ProgressView::start(session, args.progress);
    let seen = Seen::or_none(&args.what, args.state.as_deref());
    let is_running = seen.as_ref().is_some_and(|seen| seen.is_running);
    let last = seen.and_then(|seen| seen.last);
    if let Some(last) = &last {
        task.take_up(&last.run.sink);
    }
    let written = |plan: &Plan| {
        let last = last.as_ref();
        let mut written = last.map_or_else(Vec::new, |last| plan.written(&last.run));
        if args.read_source {
            written.iter_mut().for_each(|target| target.sums = None);
        }
        written
    };
    let mut report = compare(session, &registry, &task, args.sample, written)?;
    drop(progress);
    let is_missing = report.targets.iter().any(|target| !target.exists);
    if let Some(folder) = last.as_ref().and_then(|last| last.run.other_folder())
        && is_missing
    {
        report.notices.push(format!(
            "the last run of this task was begun in {folder}: its relative paths start there"
        ));
    }
    if last.as_ref().is_some_and(|last| last.run.is_unfinished()) {
        report.notices.push(match is_running {
            true => "a process is running this task now".to_owned(),
            false => format!(
                "the last run of this task is not finished: {} goes on with it",
                program::typed("run")
            ),
        });
    }
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::verify)
}

/// Compares the targets of a run that has just ended; what it finds goes into its report.
pub(super) fn after_run(
    session: &Session,
    registry: &Registry,
    task: &Task,
    report: &mut RunReport,
) -> Result<(), Failure> {
    let is_appended = task.mode == Mode::Append;
    let mut task = task.clone();
    task.mode = Mode::Skip;
    let targets = report.targets.iter().map(|target| {
        let written = Written {
            sums: target.hash.as_ref().map(|hash| hash.sums.clone()),
            before: target.rows_before.filter(|_| is_appended).unwrap_or(0),
        };
        (target.name.clone(), written)
    });
    let mut targets: BTreeMap<String, Written> = targets.collect();
    let written = |plan: &Plan| {
        let names = plan.targets.iter().map(PlannedTarget::name);
        names
            .map(|name| targets.remove(&name).unwrap_or_default())
            .collect()
    };
    let verified = compare(session, registry, &task, None, written)?;
    let shown = render::verify(&verified);
    report.notices.extend(
        shown
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned),
    );
    report.exit = report.exit.max(verified.exit);
    report.verified = Some(to_value(&verified)?);
    Ok(())
}

fn compare(
    session: &Session,
    registry: &Registry,
    task: &Task,
    sample: Option<u64>,
    written: impl FnOnce(&Plan) -> Vec<Written>,
) -> Result<VerifyReport, Failure> {
    let plan = Plan::make(task, registry, &session.control, Run::Unkept)?;
    let sink = registry.get(&task.sink.plugin, task.prefer);
    let verification = Verification {
        plan: &plan,
        sink: &*sink.map_err(Failure::task)?,
        sample,
        last: written(&plan),
        control: &session.control,
    };
    verification.run()
}
