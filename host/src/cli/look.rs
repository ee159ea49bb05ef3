// SPDX-License-Identifier: Apache-2.0
//! The commands that only look: `plan` and `inspect`.

use std::path::Path;

use super::run::hide_secrets;
use super::session::{Answer, Session};
use super::{errors, render};
use crate::failure::Failure;
use crate::plan::{self, Plan};
use crate::report::Refusal;
use crate::task::{PluginTask, Side, Task};

/// Shows what a task would do.
pub(super) fn plan(session: &Session, task: &Path) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let task = Task::load(task, &session.defaults).map_err(Failure::task)?;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let report = Plan::make(&task, &registry, &session.control)?.report();
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::plan)
}

/// Shows what is in a source.
pub(super) fn inspect(session: &Session, source: &str) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let endpoint = PluginTask::parse(source, Side::Source, &lookup, &session.defaults)
        .map_err(Failure::task)?;
    let info = lookup(&endpoint.plugin).map_err(Failure::task)?;
    session.hide(&endpoint.secrets(Side::Source, &info));
    session.heed_signals()?;
    let report = plan::inspect(&endpoint, &registry, &session.control)?;
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::inspect)
}

/// Says what stands in the way, one error each.
pub(super) fn show_refusals(session: &Session, refusals: &[Refusal]) {
    for refusal in refusals {
        errors::show(session, &refusal.about, &refusal.error, refusal.exit);
    }
}
