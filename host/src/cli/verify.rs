// SPDX-License-Identifier: Apache-2.0
//! `verify`: the task, its plan as if targets that exist were left alone, and the comparison.

use std::collections::BTreeMap;

use milvusdm_plugin_api::Mode;

use super::args::VerifyArgs;
use super::kept::Seen;
use super::look::show_refusals;
use super::progress::ProgressView;
use super::render;
use super::run::hide_secrets;
use super::session::{Answer, Session, to_value};
use crate::failure::Failure;
use crate::hash::Sums;
use crate::plan::{Plan, PlannedTarget, Run};
use crate::registry::Registry;
use crate::report::RunReport;
use crate::task::Task;
use crate::verify::{Verification, VerifyReport};

/// Compares the targets of a task with their sources.
pub(super) fn verify(session: &Session, args: &VerifyArgs) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let mut task = Task::load(&args.task.task, &session.defaults).map_err(Failure::task)?;
    // Targets that exist are what this is about; nothing is written whatever the mode.
    task.mode = Mode::Skip;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let progress = ProgressView::start(session, args.progress);
    let last = Seen::or_none(&args.task).and_then(|seen| seen.last);
    if let Some(last) = &last {
        task.take_up(&last.run.sink);
    }
    let known = |plan: &Plan| last.map(|last| plan.known_sums(&last.run));
    let report = compare(session, &registry, &task, args.sample, known)?;
    drop(progress);
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
    let mut task = task.clone();
    task.mode = Mode::Skip;
    let hashes = report.targets.iter().map(|target| {
        let hash = target.hash.as_ref();
        (target.name.clone(), hash.map(|hash| hash.sums.clone()))
    });
    let mut hashes: BTreeMap<String, Option<Sums>> = hashes.collect();
    let known = |plan: &Plan| {
        let names = plan.targets.iter().map(PlannedTarget::name);
        Some(names.map(|name| hashes.remove(&name).flatten()).collect())
    };
    let verified = compare(session, registry, &task, None, known)?;
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
    known: impl FnOnce(&Plan) -> Option<Vec<Option<Sums>>>,
) -> Result<VerifyReport, Failure> {
    let plan = Plan::make(task, registry, &session.control, Run::Unkept)?;
    let sink = registry.get(&task.sink.plugin, task.prefer);
    let verification = Verification {
        plan: &plan,
        sink: &*sink.map_err(Failure::task)?,
        sample,
        known: known(&plan).unwrap_or_default(),
        control: &session.control,
    };
    verification.run()
}
