// SPDX-License-Identifier: Apache-2.0
//! `verify`: the task, its plan as if targets that exist were left alone, and the comparison.

use milvusdm_plugin_api::Mode;

use super::args::VerifyArgs;
use super::look::show_refusals;
use super::progress::ProgressView;
use super::render;
use super::run::hide_secrets;
use super::session::{Answer, Session};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::task::Task;
use crate::verify::Verification;

/// Compares the targets of a task with their sources.
pub(super) fn verify(session: &Session, args: &VerifyArgs) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let mut task = Task::load(&args.task, &session.defaults).map_err(Failure::task)?;
    // Targets that exist are what this is about; nothing is written whatever the mode.
    task.mode = Mode::Skip;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let progress = ProgressView::start(session, args.progress);
    let plan = Plan::make(&task, &registry, &session.control)?;
    let sink = registry
        .get(&task.sink.plugin, task.prefer)
        .map_err(Failure::task)?;
    let verification = Verification {
        plan: &plan,
        sink: &sink,
        sample: args.sample,
        known: Vec::new(),
        control: &session.control,
    };
    let report = verification.run()?;
    drop(progress);
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::verify)
}
